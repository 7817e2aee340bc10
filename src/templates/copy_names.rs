//! The names of the database and of its user in the copies of a template.

use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::names::own_name::own_name;
use crate::domain::names::{DbName, DbUser, TemplateName};

/// These names as people type them; empty for the usual ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyNames<'a> {
    /// The database.
    pub dbname: &'a str,
    /// Its user.
    pub dbuser: &'a str,
}

impl CopyNames<'_> {
    /// The names by the rules of a new database of this engine. The usual ones are those of the site, or else that of the
    /// template.
    ///
    /// # Errors
    /// The errors by field.
    pub fn parse(
        self,
        app: &App,
        kind: EngineKind,
        template: &TemplateName,
    ) -> Result<(DbName, DbUser), Vec<(String, String)>> {
        let (engine, (dbname, dbuser)) = (kind.engine(), &app.config.templates.names);
        let (fixed, rules, user_rules) = (engine.fixed_names(), engine.database_rules(), engine.user_rules());
        let usual = |site: &str, rules| if site.is_empty() { template.identifier(rules) } else { site.to_owned() };
        let own = |typed, fixed, usual| {
            own_name(typed, fixed, engine.label(), Some(usual)).unwrap_or_else(|| Err("Enter a name.".to_owned()))
        };
        let dbname = own(self.dbname, fixed.map(|f| f.dbname), usual(dbname, &rules))
            .and_then(|name| DbName::parse(&name, &rules).map_err(|e| e.to_string()));
        let dbuser = own(self.dbuser, fixed.map(|f| f.dbuser), usual(dbuser, &user_rules))
            .and_then(|name| DbUser::parse(&name, &user_rules).map_err(|e| e.to_string()));
        match (dbname, dbuser) {
            (Ok(dbname), Ok(dbuser)) => Ok((dbname, dbuser)),
            (dbname, dbuser) => {
                let faults = [("dbname", dbname.err()), ("dbuser", dbuser.err())];
                Err(faults.into_iter().filter_map(|(field, why)| Some((field.to_owned(), why?))).collect())
            }
        }
    }
}
