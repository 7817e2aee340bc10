//! Reads the cores of this machine from the kernel's files.

use std::io;
use std::path::Path;

use crate::domain::cpu_set::CpuSet;
use crate::domain::cpu_set::topology::Topology;

/// Reads the cores that are online and the NUMA nodes from a directory such as `/sys/devices/system`. With `map`, its groups
/// take the place of the nodes. A kernel without NUMA has no nodes; then all cores belong together.
///
/// # Errors
/// If the cores cannot be read.
pub fn read(dir: &Path, map: Option<&[CpuSet]>) -> io::Result<Topology> {
    let online = list(&dir.join("cpu/online"))?;
    if online.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no core is online"));
    }
    if let Some(map) = map {
        return Ok(Topology::new(online, map));
    }
    let mut nodes = Vec::new();
    match std::fs::read_dir(dir.join("node")) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let number =
                    name.to_str().and_then(|name| name.strip_prefix("node")).and_then(|n| n.parse::<u32>().ok());
                if let Some(number) = number {
                    nodes.push((number, list(&entry.path().join("cpulist"))?));
                }
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    nodes.sort_by_key(|(number, _)| *number);
    let nodes: Vec<CpuSet> = nodes.into_iter().map(|(_, cores)| cores).collect();
    Ok(Topology::new(online, &nodes))
}

/// The cores in a file. A node that only has memory has an empty one.
fn list(file: &Path) -> io::Result<CpuSet> {
    let text = std::fs::read_to_string(file)?;
    if text.trim().is_empty() {
        return Ok(CpuSet::default());
    }
    CpuSet::parse(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cpu_set::topology::parse_map;

    /// The groups of a tree in `tests/topologies`, as text.
    fn groups(tree: &str) -> String {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies").join(tree);
        let found = read(&dir, None).unwrap();
        found.groups().iter().map(ToString::to_string).collect::<Vec<_>>().join(":")
    }

    #[test]
    fn numa_nodes_are_read_on_every_kind_of_machine() {
        for (tree, expected) in [
            ("one-node", "0-3"),
            ("two-nodes", "0-3:4-7"),
            ("interleaved", "0,2,4,6:1,3,5,7"),
            ("memory-only-node", "0-3"),
            ("offline-cores", "0-1,3:4-6"),
            ("no-nodes", "0-1"),
            ("many-nodes", "0-1:2-3:4-5:6-7:8-9:10-11:12-13:14-15:16-17:18-19:20-21"),
        ] {
            assert_eq!(groups(tree), expected, "{tree}");
        }
    }

    #[test]
    fn a_core_map_replaces_the_numa_nodes() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies/two-nodes");
        let map = parse_map("0,4:1,5:9").unwrap();
        let found = read(&dir, Some(&map)).unwrap();
        assert_eq!(found.groups(), [CpuSet::parse("0,4").unwrap(), CpuSet::parse("1,5").unwrap()]);
        assert_eq!(found.online().to_string(), "0-7");
    }

    #[test]
    fn this_machine_can_be_read_and_a_directory_without_cores_cannot() {
        assert!(read(Path::new("/sys/devices/system"), None).unwrap().largest() > 0);
        assert!(read(Path::new("/nowhere"), None).is_err());
        for wrong in ["nothing-online", "garbled"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies").join(wrong);
            assert!(read(&dir, None).is_err(), "{wrong:?}");
        }
    }
}
