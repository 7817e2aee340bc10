//! Checks the container engine, its limits and the images.

use std::path::Path;

use crate::catalog::Catalog;
use crate::cli::doctor::report::DoctorReport;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::domain::names::network_name;
use crate::provision::firewall;
use crate::provision::firewall::RuleChange;
use crate::runtime::docker::DockerRuntime;
use crate::runtime::firewall_state::Wall;
use crate::runtime::{Runtime, RuntimeInfo};

pub(super) async fn examine(report: &mut DoctorReport, at: &Surroundings, config: &Config) {
    let socket = at.var("DOCKER_HOST").unwrap_or("unix:///var/run/docker.sock");
    let (runtime, info) = match reach().await {
        Ok(reached) => reached,
        Err(e) => {
            let advice = format!("Start it and make sure that the portal's user can open {socket}.");
            return report.fail("container engine", e, advice);
        }
    };
    report.ok(
        "container engine",
        format!("version {}, API {}, storage driver {}, cgroup v{}", info.version, info.api, info.driver, info.cgroup),
    );
    if info.driver == "vfs" {
        let finding = "the storage driver vfs makes a full copy of the image for every container";
        report.warn("container engine", finding, "Use overlay2 instead.");
    }
    if at.var("DOCKER_HOST").is_some_and(|h| !h.starts_with("unix:")) {
        let finding = format!("the engine runs at {socket}, so its limits cannot be checked from this machine");
        report.warn("limits", finding, "Run doctor on that machine.");
    } else {
        limits(report, &info, Path::new("/sys/fs/cgroup"));
    }
    images(report, config, &runtime).await;
    firewall(report, config, &runtime).await;
}

/// Checks whether databases can open outgoing connections.
async fn firewall(report: &mut DoctorReport, config: &Config, runtime: &DockerRuntime) {
    let mut image = None;
    let Ok(catalog) = Catalog::load(&config.catalog) else { return };
    for one in catalog.images() {
        let reference = config.image_reference(&one.image);
        if matches!(runtime.image(&reference).await, Ok(Some(_))) {
            image = Some(reference);
            break;
        }
    }
    if matches!(runtime.bridge(&network_name(&config.instance), &config.instance).await, Ok(None)) {
        return report.ok("firewall", "there are no databases yet; the portal creates its rules with the first one");
    }
    match firewall::wall(runtime, config, &image.unwrap_or_default(), RuleChange::Look).await {
        Wall::Stands => report.ok("firewall", "databases cannot reach this machine, each other or other networks"),
        Wall::Theirs => report.warn(
            "firewall",
            "the portal does not manage firewall rules (databases.firewall is false)",
            "Make sure that your own rules prevent databases from reaching this machine and other networks.",
        ),
        Wall::Missing(why) => report.warn(
            "firewall",
            format!("databases can reach this machine and other networks: {why}"),
            "A running portal creates its rules within a minute if the machine has iptables. Otherwise set up your \
             own rules and set databases.firewall = false.",
        ),
    }
}

async fn reach() -> Result<(DockerRuntime, RuntimeInfo), String> {
    let runtime = DockerRuntime::connect().await.map_err(|e| e.to_string())?;
    let info = runtime.info().await.map_err(|e| e.to_string())?;
    Ok((runtime, info))
}

/// Checks whether the kernel enforces the memory, CPU and process limits of containers.
fn limits(report: &mut DoctorReport, info: &RuntimeInfo, root: &Path) {
    let missing: Vec<&str> = if info.cgroup == "2" {
        let found = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        ["memory", "cpu", "pids"].into_iter().filter(|c| !found.split_whitespace().any(|f| f == *c)).collect()
    } else {
        ["memory", "cpu", "pids"].into_iter().filter(|c| !root.join(c).is_dir()).collect()
    };
    if !missing.is_empty() {
        let finding = format!("this kernel cannot limit {}", missing.join(", "));
        return report.fail(
            "limits",
            finding,
            "Enable these cgroup controllers; until then, one database can starve all others.",
        );
    }
    report.ok("limits", "memory, CPUs and processes of containers can be limited");
    let swap_counted = info.cgroup == "2" || root.join("memory/memory.memsw.limit_in_bytes").exists();
    if !swap_counted && has_swap() {
        let advice = "Boot with swapaccount=1, or turn swap off.";
        report.warn("limits", "swap is not limited, so a database may exceed its memory limit", advice);
    }
}

fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

async fn images(report: &mut DoctorReport, config: &Config, runtime: &DockerRuntime) {
    let Ok(catalog) = Catalog::load(&config.catalog) else { return };
    for image in catalog.images() {
        let reference = config.image_reference(&image.image);
        let what = format!("image {}", image.label);
        match runtime.image(&reference).await {
            Ok(Some(_)) => report.ok(what, format!("{reference} is available locally")),
            Ok(None) => match runtime.pullable(&reference).await {
                Ok(()) => report.ok(what, format!("{reference} is not available locally but can be pulled")),
                Err(e) => {
                    let needed = config.admin_db.url.is_none() && config.admin_db.image == image.image;
                    let advice = "Load it, configure a mirror (images.registry_mirror) or a replacement \
                                  ([images.replace]), or remove it from the catalog.";
                    if needed {
                        report.fail(format!("{what}, which mydb_admin needs"), e.to_string(), advice);
                    } else {
                        report.warn(what, e.to_string(), advice);
                    }
                }
            },
            Err(e) => report.fail(what, e.to_string(), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Level;

    #[test]
    fn missing_cgroup_controllers_are_named() {
        let root = std::env::temp_dir().join(format!("db4sci-cgroup-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let text = |s: &str| s.to_owned();
        let mut info = RuntimeInfo {
            version: text("27"),
            api: text("1.47"),
            driver: text("overlay2"),
            cgroup: text("2"),
            root: text("/"),
            cpus: 1,
            memory: 1,
        };
        let look = |info: &RuntimeInfo| {
            let mut report = DoctorReport::default();
            limits(&mut report, info, &root);
            (report.0[0].level, report.0[0].text.clone())
        };
        std::fs::write(root.join("cgroup.controllers"), "cpuset cpu io pids\n").unwrap();
        assert_eq!(look(&info), (Level::Fail, "this kernel cannot limit memory".to_owned()));
        std::fs::write(root.join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        assert_eq!(look(&info).0, Level::Ok);
        info.cgroup = text("1");
        assert_eq!(look(&info).0, Level::Fail);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
