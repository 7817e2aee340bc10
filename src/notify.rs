//! Passes notices to the configured program, as JSON on its standard input. The program runs in
//! the background, without a shell and with a timeout.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::admin_db::notices;
use crate::admin_db::notices::{Notice, NoticeKind};
use crate::app::App;
use crate::config::Notify;
use crate::process::Group;
use crate::tasks;

/// `PATH` of the program. It gets nothing else from the portal's environment, which contains secrets.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Maximum bytes of its output to keep.
const WORDS: u64 = 2000;

/// The JSON passed to the program. The field names are a contract.
#[derive(Debug, Serialize)]
struct NotifyMessage<'a> {
    id: uuid::Uuid,
    kind: &'a str,
    /// Empty if it is about a template.
    database: &'a str,
    template: Option<&'a str>,
    owner: &'a str,
    contact: &'a str,
    text: &'a str,
    at: chrono::DateTime<chrono::Utc>,
    backup: Option<uuid::Uuid>,
    instance: &'a str,
    url: Option<String>,
}

impl<'a> NotifyMessage<'a> {
    fn new(app: &'a App, n: &'a Notice) -> Self {
        let url = app.config.server.public_url.as_ref();
        let subject = &n.subject;
        let page = match n.kind.as_str() {
            _ if n.is_about_portal() => "templates".to_owned(),
            _ if n.is_about_template => format!("templates/{subject}"),
            kind if kind == NoticeKind::ExpiresSoon.as_str() => format!("containers/{subject}/extend"),
            _ if n.is_about_backups() => format!("containers/{subject}/backups"),
            _ => format!("containers/{subject}/settings"),
        };
        Self {
            id: n.id,
            kind: &n.kind,
            database: if n.is_about_template { "" } else { subject },
            template: n.is_about_template.then_some(subject),
            owner: &n.owner,
            contact: &n.contact,
            text: &n.text,
            at: n.at,
            backup: n.backup_id,
            instance: app.config.instance.as_str(),
            url: url.map(|base| format!("{base}/{page}")),
        }
    }
}

/// Delays between the attempts of one call. If all fail, later calls retry for a day.
const AGAIN: [Duration; 3] = [Duration::from_secs(3), Duration::from_secs(6), Duration::from_secs(12)];

/// Passes all new notices to the program in the background.
pub fn tell(app: &Arc<App>) {
    if app.config.notify.command.is_empty() {
        return;
    }
    let app = app.clone();
    tasks::spawn(async move {
        for wait in AGAIN.map(Some).into_iter().chain([None]) {
            let Err(e) = all(&app).await else { return };
            tracing::warn!("Could not pass notices to the configured program: {e:#}");
            let Some(wait) = wait else { return };
            tokio::time::sleep(wait).await;
        }
    });
}

async fn all(app: &App) -> anyhow::Result<()> {
    let notify = &app.config.notify;
    let most = chrono::Duration::from_std(notify.timeout)? + chrono::Duration::seconds(30);
    let mut result = Ok(());
    loop {
        let mut db = app.db.acquire().await?;
        let Some(notice) = notices::claim(&mut db, app.clock.now(), most).await? else { return result };
        drop(db);
        let json = serde_json::to_vec(&NotifyMessage::new(app, &notice))?;
        let ran = run(notify, &json).await;
        let mut db = app.db.acquire().await?;
        match ran {
            Ok(()) => notices::mark_reported(&mut db, &notice, app.clock.now()).await?,
            Err(e) => {
                notices::put_back(&mut db, &notice, app.clock.now()).await?;
                result = Err(e).with_context(|| format!("the notice {} of {}", notice.id, notice.subject));
            }
        }
    }
}

/// Runs the program once.
///
/// # Errors
/// If it cannot be started, exceeds its timeout, or exits with a code other than 0.
async fn run(notify: &Notify, json: &[u8]) -> anyhow::Result<()> {
    let [program, arguments @ ..] = notify.command.as_slice() else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A separate process group, so that the program can be killed with everything it starts.
        .process_group(0)
        .spawn()
        .with_context(|| format!("{program} can't be started"))?;
    let group = Group::of(&child);
    let ended = tokio::time::timeout(notify.timeout, talk(&mut child, json)).await;
    let Ok(ended) = ended else {
        bail!("{program} did not finish within {} s and was terminated", notify.timeout.as_secs());
    };
    group.ended();
    let (status, words) = ended.with_context(|| format!("{program} could not be run"))?;
    if !status.success() {
        bail!("{program} exited with {status}. Output: {}", words.trim());
    }
    Ok(())
}

async fn talk(child: &mut Child, json: &[u8]) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (input, output) = (child.stdin.take(), child.stderr.take());
    let write = async {
        if let Some(mut input) = input {
            // A program that does not read its input still reports its result by its exit code.
            let _ = input.write_all(json).await;
        }
    };
    let read = async {
        let mut words = Vec::new();
        if let Some(mut output) = output {
            (&mut output).take(WORDS).read_to_end(&mut words).await?;
            tokio::io::copy(&mut output, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(words)
    };
    let ((), words, status) = tokio::join!(write, read, child.wait());
    Ok((status?, String::from_utf8_lossy(&words?).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crate::notify::*;

    fn shell(script: &str, seconds: u64) -> Notify {
        // Tests need a program that follows a script; the portal itself uses no shell.
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Notify { command, timeout: Duration::from_secs(seconds) }
    }

    #[tokio::test]
    async fn the_program_receives_the_notice_and_its_failure_is_reported() {
        let dir = std::env::temp_dir().join(format!("db4sci-notify-{}", std::process::id()));
        let json = vec![b'x'; 300_000];
        run(&shell(&format!("cat > {}; env | grep -c . >&2", dir.display()), 20), &json).await.unwrap();
        assert_eq!(std::fs::read(&dir).unwrap(), json);
        std::fs::remove_file(&dir).unwrap();
        // A program that reads nothing and prints a lot.
        run(&shell("yes | head -c 300000 >&2", 20), &json).await.unwrap();
        let said = format!("{:#}", run(&shell("echo no mail today >&2; exit 3", 20), b"{}").await.unwrap_err());
        assert!(said.contains("exit status: 3") && said.contains("no mail today"), "{said}");
        let absent = Notify { command: vec!["/nowhere/program".to_owned()], timeout: Duration::from_secs(1) };
        assert!(format!("{:#}", run(&absent, b"{}").await.unwrap_err()).contains("can't be started"));
    }

    #[tokio::test]
    async fn a_hanging_program_is_killed_with_its_children() {
        let file = std::env::temp_dir().join(format!("db4sci-notify-pid-{}", std::process::id()));
        let begin = Instant::now();
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let said = format!("{:#}", run(&shell(&script, 1), b"{}").await.unwrap_err());
        assert!(said.contains("did not finish within 1 s") && begin.elapsed() < Duration::from_secs(15), "{said}");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        std::fs::remove_file(&file).unwrap();
        let alive = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        for _ in 0..50 {
            if !alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the process that it started is still running");
    }
}
