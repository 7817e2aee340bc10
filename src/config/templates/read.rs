//! Reads the settings of templates and of the interface on port 5001.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::reader::Reader;
use crate::config::templates::{Myaas, Templates};
use crate::domain::quantity::ByteSize;

pub(crate) fn templates(r: &mut Reader<'_>, data_dir: &Path) -> Templates {
    let hour = r.optional("templates.hour").map(|text| text.parse().ok().filter(|hour| *hour < 24));
    if hour == Some(None) {
        r.problem("templates.hour", "must be an hour from 0 to 23, or empty");
    }
    let memory = r.optional("templates.memory").map(|text| ByteSize::parse(&text));
    if let Some(Err(why)) = &memory {
        r.problem("templates.memory", why.clone());
    }
    if r.number("templates.keep") < 0 {
        r.problem("templates.keep", "must not be negative");
    }
    Templates {
        dumps: r.path_or("templates.dumps", data_dir.join("dumps")),
        storage: r.text("templates.storage"),
        hour: hour.flatten(),
        keep: r.number("templates.keep"),
        settle: r.seconds("templates.settle_seconds"),
        hook: r.seconds("templates.hook_minutes") * 60,
        longest: r.seconds("templates.import_minutes") * 60,
        memory: memory.and_then(Result::ok),
        names: (r.text("templates.dbname"), r.text("templates.dbuser")),
    }
}

pub(crate) fn myaas(r: &mut Reader<'_>) -> Myaas {
    let ttl = r.number("myaas.ttl_seconds");
    if !(0..=315_360_000).contains(&ttl) {
        r.problem("myaas.ttl_seconds", "must be from 0 to 315360000 (ten years)");
    }
    Myaas {
        listen: r.optional("myaas.listen").and_then(|a| a.parse().ok()),
        tls: r.flag("myaas.tls"),
        ttl: u64::try_from(ttl).ok().filter(|ttl| *ttl > 0).map(Duration::from_secs),
        prefix: r.text("myaas.prefix"),
        password: r.optional("myaas.password").map(SecretString::from),
        patience: r.seconds("myaas.wait_seconds"),
    }
}
