//! The extensions offered for a new database: those that its image contains.

use crate::admin_db::image_tools;
use crate::catalog::CatalogImage;
use crate::engine::{Extension, Tools};
use crate::web::context::Context;
use crate::web::forms::Fields;

/// Name of the field.
pub const FIELD: &str = "extensions";

/// The extensions that can be added to a database of this image.
pub async fn offered(ctx: &Context, image: &CatalogImage) -> Result<Vec<Extension>, sqlx::Error> {
    let known = image.engine.engine().extensions();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let files: Vec<String> = known.iter().map(Extension::file).collect();
    let found = match ctx.app().images.digest(&image.image) {
        Some(digest) => image_tools::of(&mut *ctx.app().db.acquire().await?, &digest, &files).await?,
        None => None,
    };
    Ok(of_image(known, found.as_ref()))
}

/// Those among `known` that were found in the image, or the usual ones if it has not been examined yet.
fn of_image(known: &[Extension], found: Option<&Tools>) -> Vec<Extension> {
    let has = |e: &&Extension| found.map_or(e.usual, |tools| tools.0.contains(&e.file()));
    known.iter().filter(has).copied().collect()
}

/// The selected extensions, in the order of the engine's list. One field each, or several in one field separated by
/// spaces or commas.
pub fn chosen(image: &CatalogImage, offered: &[Extension], fields: &Fields) -> Result<Vec<String>, String> {
    let wanted = fields.all(FIELD).flat_map(|v| v.split([',', ' '])).map(str::trim).filter(|v| !v.is_empty());
    let wanted: Vec<&str> = wanted.collect();
    let unknown: Vec<String> = wanted
        .iter()
        .filter(|w| offered.iter().all(|e| e.name != **w))
        .map(|name| format!("The extension “{name}” is not available for {}.", image.label))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown.join(" "));
    }
    Ok(offered.iter().filter(|e| wanted.contains(&e.name)).map(|e| e.name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::engine::EngineKind;

    #[test]
    fn only_extensions_of_the_image_are_offered() {
        let known = EngineKind::Postgres.engine().extensions();
        let names = |found: Option<&Tools>| of_image(known, found).iter().map(|e| e.name).collect::<Vec<_>>();
        let usual = names(None);
        assert!(usual.contains(&"hstore") && !usual.contains(&"postgis") && !usual.contains(&"vector"), "{usual:?}");
        let tools = Tools(["psql", "postgis.control", "citext.control"].map(str::to_owned).to_vec());
        assert_eq!(names(Some(&tools)), ["citext", "postgis"]);
        assert!(names(Some(&Tools::default())).is_empty());
    }
}
