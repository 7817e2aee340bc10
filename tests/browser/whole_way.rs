//! The complete workflow of a researcher with mouse and typing: from signing in to a row that still exists after the
//! database was in the trash.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::driver::{Browser, JOB, Wish};
use crate::support::{POSTGRES_15, TestPortal};

/// Characters that a person may type; the keyboard of this browser has no emoji.
const PASSWORD: &str = r#"it's "odd" $HOME \ `pwd` é~ü"#;

/// Runs a copied line unchanged in a shell, with statements on its input. Returns its output, including errors.
pub fn run_line(line: &str, password: Option<&str>, statements: &str) -> String {
    let mut command = Command::new("bash");
    command.args(["-c", line]).env("PSQLRC", "/dev/null").env("PGCONNECT_TIMEOUT", "60").env("LC_ALL", "C.UTF-8");
    // The lines fetch the certificate into the current directory.
    command.current_dir(std::env::temp_dir());
    match password {
        Some(password) => command.env("PGPASSWORD", password),
        None => command.env_remove("PGPASSWORD"),
    };
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
    child.stdin.take().expect("its input").write_all(statements.as_bytes()).expect("statements");
    let said = child.wait_with_output().expect("it ends");
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// The psql line on the page of a database.
pub async fn psql_line(browser: &Browser) -> String {
    let line = browser.shown("#text-psql").await;
    // The certificate of the portal's authority comes first.
    assert!(line.starts_with("curl ") && line.contains("\npsql \"host="), "{line}");
    line
}

/// Goes from the front page to the form and submits it. Ends on the page of the database.
async fn create(browser: &Browser, version: &str, image: &str, name: &str, password: &str) {
    browser.open("/").await;
    let first = browser.has("a.engine").await;
    browser.click(if first { "a.engine" } else { ".head a.primary" }).await;
    let other = !browser.has(&format!("select#image option[value='{image}'][selected]")).await;
    let mark = "const list = document.getElementById('extensions'); list.dataset.old = ''; list.querySelector('input[name=extensions]').checked = true;";
    browser.script(mark).await;
    browser.click(&format!("select#image option[value='{image}']")).await;
    if other {
        // The extensions of the other version, with the choice that was made.
        const NEW: &str = "#extensions:not([data-old])";
        browser.until("the list of extensions is replaced", JOB, async |b| b.has(NEW).await).await;
    }
    let chosen = "const chosen = [...document.querySelectorAll('#extensions input:checked')];
        const filter = document.querySelector('#extensions [data-filter]');
        for (const input of chosen) input.checked = false;
        return [chosen.length, filter ? filter.hidden : false];";
    assert_eq!(browser.script(chosen).await, serde_json::json!([1, false]));
    for (id, text) in [("name", name), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", password)] {
        browser.fill_in(id, text).await;
    }
    // The text of the button depends on the selected version.
    browser.press(&format!("Create PostgreSQL {version} database")).await;
    let page = format!("/containers/{name}");
    browser.until("the database's page follows", JOB, async |b| b.path().await == page).await;
}

/// Checks that the steps of a job appear without a reload, and that the page then becomes that of the database.
async fn watch(browser: &Browser, name: &str) {
    const LOOK: &str = "const steps = document.querySelector('#steps .steps');
        return { document: performance.timeOrigin, now: document.querySelector('#steps [data-now]')?.dataset.now,
                 done: steps?.querySelectorAll('.done').length, said: document.getElementById('said')?.textContent };";
    let (begin, mut seen, mut said) = (Instant::now(), Vec::new(), Vec::new());
    while !browser.has(".connect-section").await {
        assert!(begin.elapsed() < JOB, "{name} was not created in time: {}", browser.text("body").await);
        if let Some(look) = browser.try_script(LOOK).await.filter(|look| look["done"].is_u64()) {
            let step = (look["document"].to_string(), look["done"].as_u64().unwrap_or(0));
            if !seen.contains(&step) {
                seen.push(step);
            }
            said.extend(look["said"].as_str().filter(|s| !s.is_empty()).map(str::to_owned));
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let live = seen.iter().filter(|(document, _)| *document == seen[0].0).count();
    assert!(live >= 2, "steps appear without a reload: {seen:?}");
    assert!(seen.iter().all(|(document, _)| *document == seen[0].0), "only the end reloads the page: {seen:?}");
    assert!(!said.is_empty(), "the steps are announced to screen readers");
    browser.until_state(name, "running").await;
}

async fn delete(browser: &Browser, name: &str) {
    browser.press("Delete database").await;
    browser.fill_in("confirm", "lab").await;
    browser.press("Delete database").await;
    let error = browser.shown("#confirm-error").await;
    assert!(error.contains(name), "{error}");
    browser.fill_in("confirm", name).await;
    browser.press("Delete database").await;
    browser.until_state(name, "in the trash").await;
}

/// Shows the password, which only the first of two open pages can do.
async fn reveal(browser: &Browser) -> (String, String) {
    let first = browser.window().await;
    let path = browser.path().await;
    let second = browser.new_window().await;
    browser.open(&path).await;
    browser.find("form[action$='/password']").await;
    // The page drops the form as soon as the password has been shown elsewhere; here it is submitted anyway.
    browser.script("window.kept = document.querySelector(\"form[action$='/password']\")").await;
    browser.switch_to(first.clone()).await;
    browser.press("Show password").await;
    let password = browser.shown("#password").await;
    let url = browser.shown("#url").await;
    let fetch = browser.shown("#fetch").await;
    browser.switch_to(second).await;
    browser
        .until("the other page has removed its form", JOB, async |b| !b.has("form[action$='/password']").await)
        .await;
    browser.script("document.body.append(window.kept); window.kept.submit()").await;
    browser
        .until("a second submission says so", JOB, async |b| b.text(".callout").await.contains("already been shown"))
        .await;
    assert!(!browser.source().await.contains(&password), "the password is not there a second time");
    browser.switch_to(first).await;
    browser.press("I have saved it – go to the database").await;
    browser.find(".connect-section").await;
    assert!(!browser.source().await.contains(&password), "nor on the database's page");
    (password, format!("{fetch}\npsql '{url}'"))
}

async fn survives(browser: &Browser, name: &str, password: &str) {
    let line = psql_line(browser).await;
    let said = run_line(&line, Some(password), "create table kept (x text);\ninsert into kept values ('💧 row');\n");
    assert!(said.contains("CREATE TABLE") && said.contains("INSERT 0 1"), "{line}: {said}");

    browser.press("Restart").await;
    browser.press("Restart now").await;
    browser
        .until("the restart begins", JOB, async |b| b.has("#steps").await || b.text(".head .chip").await != "running")
        .await;
    browser.until_state(name, "running").await;
    let read = |line: &str| run_line(line, Some(password), "select 'it is ' || x from kept;\n");
    let said = read(&psql_line(browser).await);
    assert!(said.contains("it is 💧 row"), "after a restart: {said}");

    delete(browser, name).await;
    assert!(!browser.has("#text-psql").await, "a database in the trash offers no connection");
    assert!(!read(&line).contains("it is"), "a database in the trash does not answer");
    browser.press("Restore from trash").await;
    browser.until_state(name, "running").await;
    let said = read(&psql_line(browser).await);
    assert!(said.contains("it is 💧 row"), "after the trash: {said}");
}

async fn the_admin_sees_it(browser: &Browser) {
    browser.sign_out().await;
    browser.sign_in_as_admin().await;
    browser.click(".side a[href='/admin/log']").await;
    browser.until("the log follows", JOB, async |b| b.path().await == "/admin/log").await;
    let rows = browser.texts("tbody tr").await;
    let row = |words: &[&str]| rows.iter().any(|r| words.iter().all(|w| r.split_whitespace().any(|said| said == *w)));
    for name in ["lab17", "lab15"] {
        for action in ["container.create", "container.restart", "container.delete", "container.undelete"] {
            assert!(row(&["ada", action, name, "ok"]), "{action} of {name}: {rows:#?}");
        }
    }
    assert!(row(&["ada", "container.password_shown", "lab15"]), "{rows:#?}");
    assert!(row(&["ada", "session.sign_in"]) && row(&["ada", "session.sign_out"]), "{rows:#?}");
    assert!(row(&["admin", "session.sign_in"]), "{rows:#?}");
    let page = browser.source().await;
    assert!(!page.contains("$HOME"), "no password is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scientist_gets_two_real_servers_by_clicking_and_typing() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.open("/").await;
    assert_eq!(browser.path().await, "/login", "nothing is visible before signing in");
    browser.sign_in("ada", "researcher-1").await;

    create(&browser, "17", crate::support::POSTGRES_17, "lab17", PASSWORD).await;
    watch(&browser, "lab17").await;
    survives(&browser, "lab17", PASSWORD).await;

    create(&browser, "15", POSTGRES_15, "lab15", "").await;
    watch(&browser, "lab15").await;
    let (password, line) = reveal(&browser).await;
    let version = run_line(&line, None, "show server_version;\n");
    assert!(version.contains("15."), "the URL with the password: {version}");
    survives(&browser, "lab15", &password).await;

    the_admin_sees_it(&browser).await;
    let complaints: Vec<_> = browser.log().await.into_iter().filter(|e| e.level == "SEVERE").collect();
    // The wrong name typed above causes a response 422, which the browser logs.
    assert!(complaints.iter().all(|e| e.message.contains("status of 422")), "{complaints:?}");
    browser.quit().await;
}
