//! Checks the listeners and the ports for databases.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use crate::cli::doctor::report::DoctorReport;
use crate::cli::{healthcheck, open_files};
use crate::config::Config;

/// Number of ports in the range that are tried.
const TRIED: usize = 50;

pub(super) fn examine(report: &mut DoctorReport, config: &Config) {
    let listen = config.server.listen;
    match TcpListener::bind(listen) {
        Ok(_) => report.ok("portal", format!("{listen} is free, so no portal is running there")),
        Err(e) if e.kind() == ErrorKind::AddrInUse => match healthcheck::ask(config, "/healthz") {
            Ok(200) => match healthcheck::ask(config, "/readyz") {
                Ok(200) => report.ok("portal", format!("it is responding on {listen} and is ready")),
                _ => report.warn(
                    "portal",
                    format!("it is responding on {listen} but is not ready"),
                    "See its log for the reason.",
                ),
            },
            _ => {
                report.fail(
                    "portal",
                    format!("another program is using {listen}"),
                    "Stop it, or change server.listen.",
                );
            }
        },
        Err(e) => {
            report.fail("portal", format!("cannot listen on {listen}: {e}"), advice(e.kind(), "server.listen"));
        }
    }
    let redirect = config.server.redirect_listen.filter(|_| config.server.tls);
    let further =
        [("redirect", redirect, "server.redirect_listen"), ("instances", config.myaas.listen, "myaas.listen")];
    for (what, listen, setting) in further {
        if let Some(listen) = listen {
            listener(report, what, listen, setting);
        }
    }
    ports(report, config);
    match open_files::too_few(config) {
        None => report.ok("open files", format!("the limit is {}", open_files::most())),
        Some(few) => report.warn("open files", few, "Raise LimitNOFILE of the service, or lower server.connections."),
    }
}

/// Checks an address besides the portal's own. A portal that is running uses it itself.
fn listener(report: &mut DoctorReport, what: &str, listen: SocketAddr, setting: &str) {
    if let Err(e) = TcpListener::bind(listen)
        && e.kind() != ErrorKind::AddrInUse
    {
        report.fail(what, format!("cannot listen on {listen}: {e}"), advice(e.kind(), setting));
    }
}

fn advice(kind: ErrorKind, setting: &str) -> String {
    match kind {
        ErrorKind::PermissionDenied => {
            format!("A port below 1024 needs root or the capability CAP_NET_BIND_SERVICE, or change {setting}.")
        }
        ErrorKind::AddrNotAvailable => format!(
            "No network interface of this machine has that address; change \
                                                {setting}."
        ),
        _ => String::new(),
    }
}

/// Tries some ports spread over the range: existing databases occupy theirs, and other programs may occupy more.
fn ports(report: &mut DoctorReport, config: &Config) {
    let (bind, range) = (config.databases.bind, config.databases.ports.clone());
    let step = (range.len() / TRIED).max(1);
    let tried: Vec<u16> = range.clone().step_by(step).collect();
    let errors: Vec<_> =
        tried.iter().filter_map(|port| TcpListener::bind(SocketAddr::new(bind, *port)).err()).collect();
    if let Some(e) = errors.iter().find(|e| e.kind() == ErrorKind::AddrNotAvailable) {
        return report.fail(
            "ports",
            format!("cannot publish ports on {bind}: {e}"),
            advice(e.kind(), "databases.bind"),
        );
    }
    let free = tried.len() - errors.len();
    let finding =
        format!("{free} of {} tested ports from {} to {} on {bind} are free", tried.len(), range.start(), range.end());
    if free == 0 {
        report.fail("ports", finding, "Extend the range databases.port_min to databases.port_max.");
    } else if free * 10 < tried.len() {
        report.warn("ports", finding, "Extend the range databases.port_min to databases.port_max soon.");
    } else {
        report.ok("ports", finding);
    }
}
