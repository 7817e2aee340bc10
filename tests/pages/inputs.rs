//! Invalid input in the form for a new database: an error at the field, typed values kept, nothing created.

use scraper::{Html, Selector};

use crate::support::{Client, Options, Reply, TestPortal};

/// A field of a page.
struct Shown {
    /// Its error; empty if there is none.
    error: String,
    /// Its value.
    value: String,
}

fn shown(reply: &Reply, field: &str) -> Shown {
    let html = Html::parse_document(&reply.body);
    let selector = Selector::parse(&format!("#{field}")).expect("a selector");
    let element = html.select(&selector).next().unwrap_or_else(|| panic!("the field {field}: {}", reply.text()));
    let error: String = reply.all(&format!("p.error#{field}-error")).concat().trim().to_owned();
    let described =
        element.attr("aria-describedby").is_some_and(|ids| ids.split(' ').any(|id| id == format!("{field}-error")));
    let invalid = element.attr("aria-invalid") == Some("true");
    assert_eq!((described, invalid), (!error.is_empty(), !error.is_empty()), "{field} is linked to its error");
    let value = element.attr("value").map_or_else(|| element.text().collect(), str::to_owned);
    Shown { error, value }
}

/// Submits the form with one value changed; it must be refused with an error that contains `piece`.
async fn refused(ada: &Client, field: &str, typed: &str, piece: &str) {
    let reply = ada.submit_create("lab", &[(field, typed), ("description", "of run 7")]).await.expect(422);
    let found = shown(&reply, field);
    assert!(found.error.contains(piece), "{field} = {typed:?} says {:?}, not {piece:?}", found.error);
    assert!(found.error.ends_with(['.', '?']), "the error is a sentence: {:?}", found.error);
    // Text that an HTML parser would change cannot be sent by a browser either.
    if !typed.contains(['\0', '\n', '\r']) && !matches!(field, "image" | "storage") {
        assert_eq!(found.value, typed.trim(), "what was typed into {field} is kept");
    }
    assert_eq!(shown(&reply, "description").value.trim(), "of run 7");
    let password = shown(&reply, "dbuserpass");
    assert_eq!(password.value, "");
    assert!(field == "dbuserpass" || password.error.starts_with("Enter the password again"), "{}", password.error);
    assert!(
        reply.all("[autofocus]").len() == 1 && reply.all("#errors[autofocus]").len() == 1,
        "the errors have the focus"
    );
    assert!(!reply.body.contains("correct-horse"), "no response contains the password");
    assert!(reply.all("#errors").concat().contains(&found.error), "the summary contains the error too");
}

fn nothing_was_made(portal: &TestPortal) {
    let rows = "select (select count(*) from container) + (select count(*) from job) + (select count(*) from port) + (select count(*) from credential)";
    assert_eq!(portal.sql(rows), "0");
    assert_eq!(portal.containers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_name_is_explained_at_the_field() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let long = "a".repeat(41);
    for (typed, piece) in [
        ("", "Enter a name"),
        ("   ", "Enter a name"),
        ("a", "2 to 40"),
        (long.as_str(), "41 characters"),
        ("Genome", "“genome”"),
        ("geNome", "“genome”"),
        ("my genome", "Spaces are not allowed"),
        ("UX, my mice!", "“ux-my-mice”"),
        ("../etc/passwd", "lower-case letter"),
        ("a/../b", "“/”"),
        ("o'brien", "“'”"),
        ("a\"b", "“\"”"),
        ("a;drop table container", "“;”"),
        ("a`id`", "“`”"),
        ("a$HOME", "“$”"),
        ("a<b", "“<”"),
        ("\"><script>alert(1)</script>", "lower-case letter"),
        ("genôme", "“ô”"),
        ("实验室", "lower-case letter"),
        ("ab\u{200b}c", "is not allowed"),
        ("ab\u{202e}c", "is not allowed"),
        ("ﬁsh", "lower-case letter"),
        ("a\nb", "Control characters"),
        ("a\0b", "Control characters"),
        ("postgres", "reserved for the portal"),
        ("template0", "reserved for the portal"),
        ("template1", "reserved for the portal"),
        ("mydb_admin", "reserved for the portal"),
        ("root", "reserved for the portal"),
        ("admin", "reserved for the portal"),
        ("new", "reserved for the portal"),
    ] {
        refused(&ada, "name", typed, piece).await;
    }
    let echoed = ada.submit_create("\"><script>alert(1)</script>", &[]).await.expect(422);
    assert!(!echoed.body.contains("<script>alert"), "input is shown as text, never as markup");
    nothing_was_made(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_databases_and_users_must_not_need_quoting() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let (long, longer) = ("é".repeat(32), "a".repeat(64));
    for field in ["dbname", "dbuser"] {
        for (typed, piece) in [
            ("Trial", "lower-case letter"),
            ("tRial", "“trial”"),
            ("a b", "Spaces are not allowed"),
            ("a-b", "“-”"),
            ("a-b", "“a_b”"),
            ("a\"; drop database postgres; --", "“\"”"),
            ("o'brien", "“'”"),
            ("1st", "lower-case letter"),
            ("../x", "lower-case letter"),
            (long.as_str(), "lower-case letter"),
            (longer.as_str(), "64 bytes"),
            ("a\0", "Control characters"),
            ("postgres", "reserved"),
            ("template1", "reserved"),
            ("mydb_admin", "reserved"),
            ("root", "reserved"),
            ("pg_catalog", "reserved"),
            ("db4sci_admin", "reserved"),
        ] {
            refused(&ada, field, typed, piece).await;
        }
    }
    nothing_was_made(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_or_out_of_range_values_are_rejected_at_once() {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        let standard = config.storage.first().expect("a tier").clone();
        config.storage.push(mydb::config::Tier {
            name: "genomics".to_owned(),
            users: vec!["grace".to_owned()],
            ..standard.clone()
        });
        config.storage.push(mydb::config::Tier {
            name: "unplugged".to_owned(),
            path: "/nowhere/tiers/unplugged".into(),
            ..standard
        });
        // A registry that does not exist, so that this image is unavailable.
        config.images.replace.insert("docker.io/library/postgres:16".to_owned(), "localhost:1/none:1".to_owned());
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    portal.user("grace").await;
    let (long, description) = ("x".repeat(201), "x".repeat(501));
    for (field, typed, piece) in [
        ("image", "docker.io/library/postgres:9", "not in the catalog"),
        ("image", "evil.example/postgres:17", "not in the catalog"),
        ("image", "17; rm -rf /", "not in the catalog"),
        ("storage", "gold", "not available to you"),
        ("storage", "../../etc", "not available to you"),
        ("storage", "genomics", "not available to you"),
        ("storage", "unplugged", "is unavailable"),
        ("memory", "lots", "such as 512m"),
        ("memory", "127m", "at least 128 MiB"),
        ("memory", "768", "needs a unit"),
        ("memory", "-1g", "such as 512m"),
        ("memory", "NaN", "such as 512m"),
        ("memory", "1e400", "such as 512m"),
        ("memory", "4097m", "maximum is 4 GiB"),
        ("cpus", "many", "CPUs"),
        ("cpus", "0", "CPUs"),
        ("cpus", "-1", "CPUs"),
        ("cpus", "inf", "CPUs"),
        ("cpus", "NaN", "CPUs"),
        ("cpus", "4.001", "maximum is 4 CPUs"),
        ("contact", &long, "200 characters"),
        ("department", "a\u{1b}[31mb", "control"),
        ("description", &description, "500 characters"),
        ("owner", "grace", "Only administrators"),
        ("owner", "nobody-at-all", "Only administrators"),
    ] {
        match field {
            "description" => {
                let reply = ada.submit_create("lab", &[(field, typed)]).await.expect(422);
                assert!(shown(&reply, field).error.contains(piece), "{}", reply.text());
            }
            _ => refused(&ada, field, typed, piece).await,
        }
    }
    let unknown = ada.submit_create("lab", &[("engine", "oracle")]).await.expect(422);
    assert!(shown(&unknown, "image").error.contains("“oracle” is not available"), "{}", unknown.text());
    let admin = portal.admin().await;
    refused(&admin, "owner", "nobody-at-all", "There is no account").await;

    let everything = [
        ("image", "x"),
        ("dbname", "X"),
        ("dbuser", "X"),
        ("dbuserpass", "short"),
        ("owner", "grace"),
        ("storage", "gold"),
        ("memory", "x"),
        ("cpus", "x"),
        ("contact", "\u{7}"),
        ("department", "\u{7}"),
        ("description", "\u{7}"),
    ];
    let reply = ada.submit_create("X", &everything).await.expect(422);
    for (field, _) in everything.iter().chain([&("name", "X")]) {
        assert!(!shown(&reply, field).error.is_empty(), "{field} is named with the others");
    }
    an_image_that_cant_be_had_is_shown_with_its_reason(&ada).await;
    nothing_was_made(&portal);
}

async fn an_image_that_cant_be_had_is_shown_with_its_reason(ada: &Client) {
    let option = "option[value='docker.io/library/postgres:16'][disabled]";
    let mut reason = String::new();
    for _ in 0..200 {
        reason = ada.get("/containers/new").await.expect(200).all(option).concat();
        if !reason.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(reason.contains("currently unavailable"), "the form says so: {reason:?}");
    let form = ada.get("/containers/new").await.expect(200);
    assert!(!form.body.contains("localhost:1"), "only administrators see the registry's message");
    let about = form.all(".details li");
    assert!(
        about.len() > 1 && about.iter().all(|t| !t.contains("PostgreSQL 16")),
        "only what can be chosen: {about:?}"
    );
    refused(ada, "image", "docker.io/library/postgres:16", "currently unavailable").await;
    let form = ada.get("/containers/new").await.expect(200);
    assert!(form.all("option[value='genomics']").is_empty(), "a tier of other users is not offered");
    assert_eq!(
        form.all("option[value='unplugged'][disabled]").len(),
        1,
        "an unavailable tier is shown, but cannot be selected"
    );
}
