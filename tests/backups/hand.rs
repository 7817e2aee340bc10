//! `RESTORE.txt` as a person would use it: fetched from the store, run as it stands, in a plain container of the image.

use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::ExposeSecret;

use super::objects;
use crate::support::{TestPortal, docker};

/// A server without the portal, removed when it is dropped.
pub struct Plain {
    /// Its name.
    pub name: String,
    dir: PathBuf,
}

impl Drop for Plain {
    fn drop(&mut self) {
        docker::docker(&["rm", "-fv", &self.name]);
    }
}

fn ran(command: &mut Command) -> String {
    let out = command.output().expect("it starts");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {said}");
    said
}

/// Fetches the backup `id` by its own text, into a directory of the portal's.
fn fetched(portal: &TestPortal, id: &str) -> PathBuf {
    let dir = portal.dir.join(format!("by-hand-{id}"));
    std::fs::create_dir_all(&dir).expect("made");
    let text = objects(portal).into_iter().find(|p| p.ends_with(format!("{id}/RESTORE.txt"))).expect("it is there");
    std::fs::copy(text, dir.join("RESTORE.txt")).expect("copied");
    let target = &portal.config.targets[0].name;
    let target = portal.app().app.stores.get(target).expect("the store is open").target().clone();
    let secret = target.secret_access_key.expect("it has keys");
    ran(Command::new("bash")
        .args(["RESTORE.txt", "fetch"])
        .current_dir(&dir)
        .env("AWS_ACCESS_KEY_ID", target.access_key_id.expect("it has keys"))
        .env("AWS_SECRET_ACCESS_KEY", secret.expose_secret())
        .env("ENDPOINT", target.endpoint.expect("it is bound")));
    dir
}

/// Runs `bash RESTORE.txt restore` against a server of `image` made by hand, with the clients of the same image.
pub fn restored(
    portal: &TestPortal,
    id: &str,
    image: &str,
    made: &[&str],
    admin: &str,
    secret: &str,
    port: &str,
) -> Plain {
    let dir = fetched(portal, id);
    let plain = Plain { name: format!("{}-by-hand", portal.instance), dir };
    let mut run = vec!["run", "-d", "--name", &plain.name];
    for variable in made {
        run.extend(["-e", variable]);
    }
    run.push(image);
    ran(Command::new("docker").args(&run));
    let mount = format!("{}:/backup", plain.dir.display());
    let network = format!("container:{}", plain.name);
    // While an image initialises, its first server does not listen on the network.
    let wait = format!(
        "for i in $(seq 300); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && exit 0; sleep 0.2; done; exit 1"
    );
    let clients = |script: &[&str], env: &[&str]| {
        let mut run = vec!["run", "--rm", "--network", &network, "-v", &mount, "-w", "/backup", "--entrypoint", "bash"];
        for variable in env {
            run.extend(["-e", variable]);
        }
        run.push(image);
        run.extend(script);
        ran(Command::new("docker").args(&run));
    };
    clients(&["-c", &wait], &[]);
    let (port, admin) = (format!("PORT={port}"), format!("ADMIN={admin}"));
    clients(&["RESTORE.txt", "restore"], &["HOST=127.0.0.1", &port, &admin, secret]);
    plain
}

/// What a damaged object makes of it: the text must stop before anything is restored.
pub fn refuses_damage(plain: &Plain, object: &str) {
    let file = plain.dir.join(object);
    let mut content = std::fs::read(&file).expect("it was fetched");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&file, content).expect("written");
    assert!(!unpacks(&plain.dir), "{object} is damaged");
}

fn unpacks(dir: &Path) -> bool {
    Command::new("bash").args(["RESTORE.txt", "unpack"]).current_dir(dir).output().expect("it starts").status.success()
}
