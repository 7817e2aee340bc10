//! Network addresses, timeouts and cores of databases.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::spares::SpareRule;
use crate::domain::cpu_set::CpuSet;
use crate::domain::quantity::{ByteSize, MIB};

/// Network addresses and timeouts of database containers.
#[derive(Debug, Clone)]
pub struct Databases {
    /// Host name that clients connect to.
    pub host: String,
    /// Whether each database has its own host name below that one.
    pub own_names: bool,
    /// Address on which the database ports are published.
    pub bind: IpAddr,
    /// Range of ports for databases.
    pub ports: RangeInclusive<u16>,
    /// Timeout for a started server to respond.
    pub start_timeout: Duration,
    /// Timeout for a server that is still working, for example recovering.
    pub start_longest: Duration,
    /// Timeout for a new server to initialise.
    pub create_timeout: Duration,
    /// Whether seeds (initialised data directories) are prepared.
    pub prepare: bool,
    /// How many servers are started in advance.
    pub spares: Vec<SpareRule>,
    /// Largest sum of the memory limits of these servers.
    pub spares_memory: ByteSize,
    /// Whether the portal manages rules in the host's firewall.
    pub firewall: bool,
    /// Number of cores to pin new databases to; 0 for none.
    pub pin_cores: u16,
    /// Groups of cores that belong together, if not the NUMA nodes.
    pub cpu_map: Option<Vec<CpuSet>>,
    /// Directory that describes the cores of the machine.
    pub system_dir: PathBuf,
    /// Percentage of the memory limit to reserve for each database; 0 for none.
    pub memory_reservation: u8,
}

impl Databases {
    /// The host name at which clients reach the database of this name.
    pub fn host_of(&self, name: &str) -> String {
        if self.own_names { format!("{name}.{}", self.host) } else { self.host.clone() }
    }

    /// The memory to reserve for a database with this limit. Engines reject less than 6 MiB.
    pub fn reservation(&self, limit: ByteSize) -> Option<ByteSize> {
        let share = limit.0 / 100 * i64::from(self.memory_reservation);
        (self.memory_reservation > 0).then(|| ByteSize(share.max(6 * MIB).min(limit.0)))
    }
}
