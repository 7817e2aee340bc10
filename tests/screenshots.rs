//! Screenshots of all pages, in four widths and both colour schemes: `make screenshots` saves them in var/screenshots.
//! `DB4SCI_STOPS=database,admin` selects some pages, `DB4SCI_VIEWS=1280-light,360-light` some widths and
//! schemes. `DB4SCI_STYLE=disk` uses static/style.css as it is on disk, so that a
//! change of it can be seen without building the portal again.

use std::path::Path;

use base64::Engine as _;
use serde_json::json;

use crate::browser::driver::{Browser, Wish};
use crate::browser::tour::{PASSWORD, Tour};
use crate::support::portal::environment;

/// Maximum height; the rest of a page is cut off, because nobody looks at more.
const TALLEST: u64 = 4000;

async fn picture(browser: &Browser, file: &Path, (width, height): (u32, u32)) {
    // Where a form scrolled the page to its first error, the bar at the top would be in the middle.
    browser.script("window.scrollTo(0, 0)").await;
    let full = browser.script("return Math.ceil(document.documentElement.getBoundingClientRect().height)").await;
    part(browser, file, (width, full.as_u64().unwrap_or(0).clamp(u64::from(height), TALLEST))).await;
}

async fn part(browser: &Browser, file: &Path, (width, height): (u32, u64)) {
    let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
    let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
    let shot = browser.command("Page.captureScreenshot", shot).await;
    let data = shot["data"].as_str().expect("a picture");
    let data = base64::engine::general_purpose::STANDARD.decode(data).expect("a picture");
    std::fs::write(file, data).expect("the picture is kept");
}

/// Replaces the style sheet of the page with that on disk.
async fn restyle(browser: &Browser) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("static/style.css");
    let css = json!(std::fs::read_to_string(file).expect("the style sheet"));
    let code = format!(
        "const sheet = new CSSStyleSheet(); sheet.replaceSync({css}); document.adoptedStyleSheets = [sheet];
         document.querySelectorAll('link[rel=stylesheet]').forEach(link => link.remove());"
    );
    browser.script(&code).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes screenshots and checks nothing; run by `make screenshots`"]
async fn screenshots() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("var/screenshots");
    // Those of other pages stay if only some are selected.
    std::fs::create_dir_all(&folder).expect("a folder for them");
    let tour = Box::pin(Tour::prepare()).await;
    let browser = Browser::start(&tour.portal.base, Wish::default()).await;
    // Somewhere else than UTC, so that local times are shown.
    browser.command("Emulation.setTimezoneOverride", json!({ "timezoneId": "Europe/Berlin" })).await;
    let (mut last, mut count) = ("", 0);
    // The environment may select some stops.
    let some = environment("DB4SCI_STOPS").unwrap_or_default();
    let wanted = environment("DB4SCI_VIEWS").unwrap_or_default();
    let among = |list: &str, name: &str| list.is_empty() || list.split(',').any(|one| one == name);
    for stop in tour.stops.iter().filter(|s| among(&some, s.name)) {
        browser.resize(1280, 900).await;
        tour.visit(&browser, stop, last).await;
        last = stop.as_whom;
        if environment("DB4SCI_STYLE").is_ok() {
            restyle(&browser).await;
        }
        let sizes = [(1280, 900), (360, 740), (768, 1000), (1920, 1000)];
        let views = ["dark", "light"].into_iter().flat_map(|scheme| sizes.map(|(w, h)| (w, h, scheme)));
        for (width, height, scheme) in views {
            if !among(&wanted, &format!("{width}-{scheme}")) {
                continue;
            }
            let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.command("Emulation.setEmulatedMedia", feature).await;
            browser.resize(width, height).await;
            picture(&browser, &folder.join(format!("{}-{width}-{scheme}.png", stop.name)), (width, height)).await;
            count += 1;
        }
        // What people print: a password, and how to connect.
        if ["password", "database"].contains(&stop.name) {
            browser.command("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
            browser.resize(794, 1123).await;
            picture(&browser, &folder.join(format!("{}-print.png", stop.name)), (794, 1123)).await;
            browser.command("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
            count += 1;
        }
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&docs).expect("a folder for the documents' pictures");
    browser.sign_in_anew("ada", PASSWORD).await;
    browser
        .command(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": "light" }] }),
        )
        .await;
    browser.resize(1280, 900).await;
    for (name, path) in [("list", "/"), ("database", "/containers/proteomics-atlas")] {
        browser.open(path).await;
        // The name of a test's instance means nothing to a reader.
        browser.script("document.querySelectorAll('.instance').forEach(e => e.remove())").await;
        part(&browser, &docs.join(format!("{name}.png")), (1280, 860)).await;
    }
    browser.quit().await;
    println!("{count} pictures of {} pages in {}", tour.stops.len(), folder.display());
}
