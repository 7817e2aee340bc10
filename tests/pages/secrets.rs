//! A generated password: shown once, to one person, and only once it works.

use futures::future::join_all;

use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_password_is_shown_once_even_to_simultaneous_requests() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.submit_create("lab", &[("dbuserpass", "")]).await.expect(303);
    // Before the server has the password, it is neither shown nor lost.
    let early = ada.post("/containers/lab/password", &[]).await;
    assert_eq!((early.status.as_u16(), early.location.as_str()), (303, "/containers/lab"));
    ada.wait_for("lab", "running").await;
    let page = ada.get("/containers/lab").await.expect(200);
    assert!(page.text().contains("Your password is ready"), "{}", page.text());
    ada.get("/containers/lab/password").await.expect(405);

    let asking = (0..8).map(|_| async { ada.post("/containers/lab/password", &[]).await });
    let replies = join_all(asking).await;
    let shown: Vec<_> = replies.iter().filter(|r| r.status == 200).collect();
    assert_eq!((shown.len(), replies.iter().filter(|r| r.status == 303).count()), (1, 7));
    let page = shown.first().expect("one");
    let password = page.all("#password").concat().trim().to_owned();
    assert!(password.len() >= 20, "{password:?}");
    assert_eq!(page.headers["cache-control"], "no-store", "the browser does not store it either");
    portal.connect("lab", &password).await.expect("it is the password");
    // The URLs on the page work unchanged, the first one with the certificate that the page fetches, and the file contains
    // the same password.
    let text = |id: &str| page.all(id).concat().trim().to_owned();
    let (url, plain) = (text("#url"), text("#url-unverified"));
    assert!(url.contains(&format!(":{password}@")) && url.contains("sslmode=verify-full"), "{url}");
    let psql = |line: &str| {
        let said =
            std::process::Command::new("bash").args(["-c", line]).current_dir(&portal.dir).output().expect("bash");
        format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
    };
    let verified = format!("psql '{url}' -XAtqc \"select 'in'\"");
    assert!(psql(&verified).contains("ca.pem\" does not exist"), "without the certificate, nothing is trusted");
    assert_eq!(psql(&format!("{}\n{verified}", text("#fetch"))), "in\n");
    assert_eq!(psql(&format!("psql '{plain}' -XAtqc \"select 'in'\"")), "in\n");
    let html = scraper::Html::parse_document(&page.body);
    let link = scraper::Selector::parse("a[download='lab.txt']").expect("a selector");
    let file = html.select(&link).next().and_then(|e| e.attr("href")).expect("a file").to_owned();
    assert!(
        percent_encoding::percent_decode_str(&file).decode_utf8_lossy().contains(&format!("password: {password}\n")),
        "{file}"
    );

    let after = ada.get("/containers/lab").await.expect(200);
    assert!(after.text().contains("The password has already been shown"), "later visitors see why: {}", after.text());
    assert!(!after.body.contains(&password) && !ada.get("/containers/lab").await.text().contains("password is ready"));
    assert_eq!(portal.sql("select count(*) from credential where kind = 'user'"), "0");
    let log = portal.sql(
        "select actor || ' ' || container_name || ' ' || outcome from log where action = 'container.password_shown'",
    );
    assert_eq!(log, "ada lab ok");
    assert!(!portal.sql("select string_agg(l::text, '') from log l").contains(&password));
}
