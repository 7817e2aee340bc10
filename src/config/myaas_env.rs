//! The environment variables of myaas, the predecessor for databases from templates. Installations that have them
//! set keep working; the settings of this portal take precedence.

/// What a variable means here.
pub(super) enum Meaning {
    /// The value of this setting.
    Setting(&'static str),
    /// The value of this setting, as a directory that contains `dumps`.
    Base(&'static str),
    /// `true` lowers the level of the log to `debug`.
    Debug,
    /// Nothing, for the reason given.
    Nothing(&'static str),
}

/// All variables.
const VARIABLES: &[(&str, Meaning)] = &[
    ("MYAAS_HOSTNAME", Meaning::Setting("databases.host")),
    ("MYAAS_PREFIX", Meaning::Setting("myaas.prefix")),
    ("MYAAS_CONTAINER_TTL", Meaning::Setting("myaas.ttl_seconds")),
    ("MYAAS_DB_DATABASE", Meaning::Setting("templates.dbname")),
    ("MYAAS_DB_USERNAME", Meaning::Setting("templates.dbuser")),
    ("MYAAS_DB_PASSWORD", Meaning::Setting("myaas.password")),
    ("MYAAS_MEMORY_LIMIT", Meaning::Setting("templates.memory")),
    ("MYAAS_BASE_DIR", Meaning::Base("templates.dumps")),
    ("MYAAS_DEBUG", Meaning::Debug),
    ("MYAAS_BACKEND", Meaning::Nothing("each template has the engine that its dump was made by")),
    ("MYAAS_MYSQL_IMAGE", Meaning::Nothing("images are in the catalog")),
    ("MYAAS_POSTGRES_IMAGE", Meaning::Nothing("images are in the catalog")),
    ("MYAAS_DOCKER_HOST", Meaning::Nothing("set DOCKER_HOST")),
    ("MYAAS_CPU_PINNING_CORES", Meaning::Setting("databases.pin_cores")),
    ("MYAAS_CPU_MAP", Meaning::Setting("databases.cpu_map")),
    ("MYAAS_URL", Meaning::Nothing("it is for clients")),
    ("MYAAS_TEMPLATE", Meaning::Nothing("it is for clients")),
    ("MYAAS_NAME", Meaning::Nothing("it is for clients")),
    ("MYAAS_TTL", Meaning::Nothing("it is for clients")),
    ("MYAAS_NO_REMOVE", Meaning::Nothing("it is for clients")),
    ("MYAAS_WAIT_TIMEOUT", Meaning::Nothing("it is for clients")),
];

/// What a variable means; `None` if it is unknown.
pub(super) fn meaning(name: &str) -> Option<&'static Meaning> {
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, meaning)| meaning)
}
