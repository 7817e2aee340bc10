//! Settings of a target: what is sent to the store with each object, and where the credentials come from.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mydb::config::Target;
use mydb::objects::Store;
use secrecy::ExposeSecret;

use crate::support::TestPortal;
use crate::support::store_proxy::{Op, portal};

#[tokio::test(flavor = "multi_thread")]
async fn encryption_and_storage_class_are_requested_for_each_object() {
    let (portal, proxy) = portal(30).await;
    let plain = portal.config.targets[0].clone();
    let settings = [
        ("AES256", "", "STANDARD"),
        ("aws:kms", "arn:aws:kms:eu-central-1:111122223333:key/mice", "GLACIER_IR"),
        ("", "", ""),
    ];
    let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    for (encryption, key, class) in settings {
        let target =
            Target { encryption: set(encryption), kms_key: set(key), storage_class: set(class), ..plain.clone() };
        let store = Store::connect(&target).await.expect("a client");
        let put = store.put("small", Bytes::from_static(b"small"), "text/plain").await;
        let begun = store.begin("large").await;
        if class == "GLACIER_IR" {
            // The store of these tests has no archive, and says that one was asked for.
            let refused = put.expect_err("it has none").to_string();
            assert!(refused.contains("InvalidStorageClass"), "{refused}");
            continue;
        }
        put.expect("stored");
        store.abort("large", &begun.expect("an upload")).await.expect("ended");
    }
    for on in [Op::Put, Op::Begin] {
        let told = |header: &str| proxy.sent(on, header).split_off(proxy.sent(on, header).len() - settings.len());
        assert_eq!(told("x-amz-server-side-encryption"), settings.map(|(encryption, _, _)| encryption), "{on:?}");
        assert_eq!(told("x-amz-server-side-encryption-aws-kms-key-id"), settings.map(|(_, key, _)| key), "{on:?}");
        assert_eq!(told("x-amz-storage-class"), settings.map(|(_, _, class)| class), "{on:?}");
    }
}

/// Checks a target that names no credentials, with these variables. Returns whether it works, and what was said.
fn check(portal: &TestPortal, target: &Target, variables: &[(&str, &str)]) -> (bool, String) {
    let home = portal.dir.join("home");
    std::fs::create_dir_all(home.join("dev")).expect("a home");
    let settings = format!(
        "[[storage]]\nname = \"standard\"\npath = \"{}\"\n[[target]]\nname = \"lab\"\nbucket = \"{}\"\nendpoint = \"{}\"\n\
         region = \"us-east-1\"\npath_style = true\n",
        portal.config.storage[0].path.display(),
        target.bucket,
        target.endpoint.as_deref().expect("an address"),
    );
    std::fs::write(home.join("dev/config.toml"), settings).expect("settings");
    let said = Command::new(env!("CARGO_BIN_EXE_db4sci"))
        .args(["target", "check", "lab"])
        .env_clear()
        .env("DB4SCI_MODE", "dev")
        .env("DB4SCI_HOME", &home)
        .env("DB4SCI__CATALOG", &portal.config.catalog)
        .env("DB4SCI__INSTANCE", &portal.instance)
        .env("DB4SCI__DATA_DIR", &portal.dir)
        .env("DB4SCI__ADMIN_DB__URL", portal.tables_url())
        .env("DB4SCI__SECRETS__KEY_FILE", portal.dir.join("seal.key"))
        .env("HOME", &home)
        // The service of a machine in the cloud, which this one may or may not be.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs");
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    (said.status.success(), text)
}

/// Responds like the service that gives a machine the credentials of its role. Ends with the test.
fn role(id: &str, secret: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/role", listener.local_addr().expect("an address"));
    let body = format!(
        "{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\",\"Token\":\"of the role\",\"Expiration\":\"2999-01-01T00:00:00Z\"}}"
    );
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _ = socket.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let _ = write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let file = dir.join(name);
    std::fs::write(&file, text).expect("a file");
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_the_environment_a_profile_or_the_role_of_the_machine() {
    let (portal, _proxy) = portal(30).await;
    let target = &portal.config.targets[0];
    let id = target.access_key_id.as_deref().expect("a key").to_owned();
    let secret = target.secret_access_key.as_ref().expect("a secret").expose_secret().to_owned();
    let profile = |secret: &str| format!("[mice]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let (good, bad) =
        (file(&portal.dir, "good", &profile(&secret)), file(&portal.dir, "bad", &profile("something-else")));
    let address = role(&id, &secret);
    let works = [
        vec![("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())],
        vec![("AWS_SHARED_CREDENTIALS_FILE", good.as_str()), ("AWS_PROFILE", "mice")],
        vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str())],
    ];
    // What is not there does not come by waiting, so it is said at once.
    let missing = "No usable credentials were found";
    let fails = [
        (vec![], missing),
        (
            vec![("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", "something-else")],
            "credentials must be valid",
        ),
        (vec![("AWS_SHARED_CREDENTIALS_FILE", bad.as_str()), ("AWS_PROFILE", "mice")], "credentials must be valid"),
        (vec![("AWS_SHARED_CREDENTIALS_FILE", good.as_str()), ("AWS_PROFILE", "rats")], missing),
    ];
    tokio::task::block_in_place(|| {
        for variables in works {
            let (done, said) = check(&portal, target, &variables);
            assert!(done, "{variables:?}: {said}");
        }
        for (variables, words) in fails {
            let begin = Instant::now();
            let (done, said) = check(&portal, target, &variables);
            assert!(begin.elapsed() < Duration::from_secs(60), "{variables:?} took {:?}", begin.elapsed());
            assert!(!done && said.contains(words) && !said.contains("something-else"), "{variables:?}: {said}");
        }
    });
}
