//! `db4sci proxy`: makes a database from a template, and forwards a local port to it until it is stopped. For CI jobs,
//! whose programs expect a server next to them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::check::check;
use super::client::{Asked, Database, Remote};
use crate::cli::surroundings::{Surroundings, say};
use crate::domain::ttl::Lifetime;
use crate::tasks;

/// Time between two requests while a template is being imported.
const AGAIN: Duration = Duration::from_secs(2);
/// Timeout for a connection to the database.
const CONNECT: Duration = Duration::from_secs(10);

/// The options, which can also be set by the variables of the predecessor.
#[derive(Debug, Args)]
pub(crate) struct ProxyOptions {
    /// Address of the portal's interface, for example http://portal:5001 (default: DB4SCI_URL)
    #[arg(long, env = "MYAAS_URL")]
    url: Option<String>,
    /// Name of the template
    #[arg(long, env = "MYAAS_TEMPLATE")]
    template: Option<String>,
    /// Name of the database; slashes become dashes
    #[arg(long, env = "MYAAS_NAME")]
    name: Option<String>,
    /// Time after which the database is deleted if nothing stops the proxy properly
    #[arg(long, env = "MYAAS_TTL")]
    ttl: Option<String>,
    /// Port, or address and port, to listen on
    #[arg(long, default_value = "3306")]
    listen: String,
    /// Do not delete the database at the end
    #[arg(long, env = "MYAAS_NO_REMOVE", value_parser = clap::builder::FalseyValueParser::new(), default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    keep: bool,
    /// How long to wait for the template's first import, and for the server
    #[arg(long, env = "MYAAS_WAIT_TIMEOUT", default_value = "15m")]
    wait: String,
    /// Check whether the database behind the proxy that listens there responds, and do nothing else; exit code 0 or 1
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(options: ProxyOptions, at: &Surroundings) -> anyhow::Result<()> {
    let listen = address(&options.listen)?;
    if options.check {
        return check(listen).await;
    }
    let template = options.template.context("--template is required")?;
    let name = options.name.context("--name is required")?.replace('/', "-");
    let wait = Lifetime::parse(&options.wait).map_err(|e| anyhow::anyhow!("--wait: {e}"))?;
    let remote = Remote::open(at, options.url.as_deref())?;
    let stop = CancellationToken::new();
    let signal = stop.clone();
    tasks::spawn(async move {
        wait_for_signal().await;
        signal.cancel();
    });
    let work = serve(&remote, (&template, &name, options.ttl.as_deref()), (listen, wait.duration().to_std()?), &stop);
    let done = stop.run_until_cancelled(work).await.unwrap_or(Ok(()));
    if !options.keep {
        // Also after an error: the database may have been made.
        match remote.remove(&template, &name).await {
            Ok(true) => say(&format!("removed {template}/{name}\n")),
            Ok(false) => {}
            Err(e) => eprintln!("db4sci: could not remove {template}/{name}: {e:#}"),
        }
    }
    done
}

/// Makes the database, and forwards connections.
async fn serve(
    remote: &Remote,
    (template, name, ttl): (&str, &str, Option<&str>),
    (listen, wait): (SocketAddr, Duration),
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + wait;
    while let Asked::Importing = remote.make(template, name, ttl).await? {
        ensure!(tokio::time::Instant::now() < until, "the template {template} is still being imported");
        tokio::time::sleep(AGAIN).await;
    }
    let database = remote.show(template, name).await?;
    // Nothing listens before the server accepts connections, so that a health check tells them apart.
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let Database { host, port, .. } = &database;
    say(&format!("forwarding {} to {template}/{name} at {host}:{port}\n", listener.local_addr()?));
    loop {
        let (client, _) = listener.accept().await?;
        let (to, stop) = (format!("{host}:{port}"), stop.clone());
        tasks::spawn(async move {
            if let Some(Err(e)) = stop.run_until_cancelled(forward(client, &to)).await {
                eprintln!("db4sci: {to}: {e}");
            }
        });
    }
}

async fn forward(mut client: TcpStream, to: &str) -> anyhow::Result<()> {
    let mut server = tokio::time::timeout(CONNECT, TcpStream::connect(to)).await??;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // A client may end its connection abruptly: that is not an error of the proxy.
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Ok(())
}

/// A port on all addresses, or an address with a port.
fn address(text: &str) -> anyhow::Result<SocketAddr> {
    match text.parse::<u16>() {
        Ok(port) => Ok(([0, 0, 0, 0], port).into()),
        Err(_) => text.parse().with_context(|| format!("--listen {text}: give a port, or an address with a port")),
    }
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_listens_on_all_addresses() {
        assert_eq!(address("3306").unwrap(), ([0, 0, 0, 0], 3306).into());
        assert_eq!(address("127.0.0.1:0").unwrap(), ([127, 0, 0, 1], 0).into());
        assert!(address("here").is_err() && address("99999").is_err());
    }
}
