//! Uses `RESTORE.txt` as a person would: downloads it from the store and runs it unchanged in a plain container of the
//! image.

use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::ExposeSecret;

use crate::backups::objects;
use crate::support::{TestPortal, docker};

/// A server without the portal; its container is removed on drop.
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

/// Fetches the backup `id` with its own RESTORE.txt into a directory of the portal.
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
        .env("ENDPOINT", target.endpoint.expect("it is bound"))
        // For encrypted backups.
        .env("KEY", portal.dir.join("backup.key")));
    dir
}

/// Starts a server of `image` by hand and runs `bash RESTORE.txt restore` against it with the clients of that image.
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
    // During initialisation, the image's temporary server does not listen on the network.
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

/// Runs `bash RESTORE.txt restore` on an empty data directory in a container of `image`, and starts a server by hand
/// on the result.
pub fn restored_stopped(portal: &TestPortal, id: &str, image: &str, place: &str, command: &[&str]) -> Plain {
    let dir = fetched(portal, id);
    let plain = Plain { name: format!("{}-by-hand", portal.instance), dir };
    let data = plain.dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let (mount, data) = (format!("{}:/backup", plain.dir.display()), format!("{}:{place}", data.display()));
    let to = format!("DATA={place}");
    ran(Command::new("docker").args([
        "run",
        "--rm",
        "-u",
        "0:0",
        "--network",
        "none",
        "--hostname",
        "here",
        "--add-host",
        "here:127.0.0.1",
        "-v",
        &mount,
        "-v",
        &data,
        "-w",
        "/backup",
        "-e",
        &to,
        "--entrypoint",
        "bash",
        image,
        "RESTORE.txt",
        "restore",
    ]));
    ran(Command::new("docker").args(["run", "-d", "--name", &plain.name, "-v", &data, image]).args(command));
    plain
}

/// The administrator's password from RESTORE.txt.
pub fn named_password(portal: &TestPortal, id: &str) -> String {
    let text = objects(portal).into_iter().find(|p| p.ends_with(format!("{id}/RESTORE.txt"))).expect("it is there");
    let text = std::fs::read_to_string(text).expect("it is text");
    let (_, rest) = text.split_once("with the password ").expect("the password is named");
    rest.split([',', '\n']).next().expect("a word").to_owned()
}

/// The output of a program in the server's container, retried until there is some.
pub fn asked(plain: &Plain, command: &[&str]) -> String {
    for _ in 0..120 {
        let said = docker::docker(&[&["exec", &plain.name], command].concat());
        if !said.is_empty() {
            return said;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("the restored server did not answer in time: {command:?}");
}

/// Damages an object: RESTORE.txt must stop before anything is restored.
pub fn refuses_damage(plain: &Plain, object: &str) {
    let file = plain.dir.join(object);
    let mut content = std::fs::read(&file).expect("it was fetched");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&file, content).expect("written");
    assert!(!unpacks(&plain.dir), "a damaged {object} was unpacked");
}

fn unpacks(dir: &Path) -> bool {
    Command::new("bash").args(["RESTORE.txt", "unpack"]).current_dir(dir).output().expect("it starts").status.success()
}
