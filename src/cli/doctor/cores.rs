//! Checks that databases can be pinned to cores as configured.

use crate::cli::doctor::report::DoctorReport;
use crate::config::Config;
use crate::domain::cpu_set::CpuSet;
use crate::domain::cpu_set::topology::Topology;
use crate::runtime::topology;

pub(super) fn examine(report: &mut DoctorReport, config: &Config) {
    let databases = &config.databases;
    let map = databases.cpu_map.as_deref();
    match topology::read(&databases.system_dir, map) {
        Ok(machine) => judge(report, &machine, map.unwrap_or_default(), databases.pin_cores),
        Err(e) => report.warn(
            "cores",
            format!("the cores of this machine cannot be read: {e}"),
            "Databases cannot be pinned to cores. If the portal runs in a container, mount /sys read-only.",
        ),
    }
}

fn judge(report: &mut DoctorReport, machine: &Topology, map: &[CpuSet], wanted: u16) {
    let absent: Vec<_> = map.iter().filter(|g| !g.is_within(machine.online())).map(ToString::to_string).collect();
    if !absent.is_empty() {
        return report.warn(
            "cores",
            format!("databases.cpu_map names {}, but only {} are online", absent.join(" and "), machine.online()),
            "Correct databases.cpu_map.",
        );
    }
    let most = machine.largest();
    if usize::from(wanted) > most {
        return report.warn(
            "cores",
            format!("new databases should be pinned to {wanted} cores, but only {most} belong together"),
            "Lower databases.pin_cores, or set databases.cpu_map.",
        );
    }
    report.ok("cores", format!("{} are online, and up to {most} belong together", machine.online()));
}

#[cfg(test)]
mod tests {
    use crate::cli::doctor::cores::*;

    fn said(groups: &[&str], wanted: u16) -> String {
        let set = |text: &str| CpuSet::parse(text).unwrap();
        let groups: Vec<CpuSet> = groups.iter().map(|g| set(g)).collect();
        let mut report = DoctorReport::default();
        judge(&mut report, &Topology::new(set("0-3"), &groups), &groups, wanted);
        report.text()
    }

    #[test]
    fn unavailable_cores_are_named() {
        assert_eq!(said(&["0-1", "2-3"], 2), "ok    cores: 0-3 are online, and up to 2 belong together.\n");
        assert!(said(&["0-1", "2-3"], 3).contains("only 2 belong together. Lower databases.pin_cores"));
        assert!(said(&["0-1", "2-9"], 1).contains("names 2-9, but only 0-3 are online"));
    }
}
