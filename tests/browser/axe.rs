//! Every page, wide and narrow, in both colour schemes under axe-core, which checks a page against the Web Content Accessibility Guidelines.
//! dev/drivers/make.sh installs it.

use std::path::Path;

use serde_json::{Value, json};

use super::driver::{Browser, Wish};
use super::tour::Tour;

/// Runs `RULES`, or all rules, and returns what is serious or critical, with the first elements concerned.
const RUN: &str = "
const rules = RULES;
const options = { resultTypes: ['violations'], preload: false, ...(rules ? { runOnly: rules } : {}) };
return axe.run(document, options).then(found => found.violations
  .filter(v => v.impact === 'serious' || v.impact === 'critical')
  .map(v => `${v.id}: ${v.help}: ` + v.nodes.slice(0, 3).map(n => `${n.html.slice(0, 200)} (${(n.any[0] || {}).message || ''})`).join(' | ')));
";

/// A computer and a telephone.
const SIZES: [(u32, u32); 2] = [(1280, 900), (360, 740)];

/// The checker's own source, which defines `axe` in a page.
fn source() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("var/tools/drivers/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

async fn faults(browser: &Browser, rules: Value) -> Vec<String> {
    let said = browser.script(&RUN.replace("RULES", &rules.to_string())).await;
    let said = said.as_array().unwrap_or_else(|| panic!("a list is expected: {said}"));
    said.iter().map(|fault| fault.as_str().unwrap_or_default().to_owned()).collect()
}

async fn scheme(browser: &Browser, name: &str) {
    let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": name }] });
    browser.command("Emulation.setEmulatedMedia", features).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn no_page_is_seriously_inaccessible() {
    let (tour, axe) = (Box::pin(Tour::prepare()).await, format!("{}\nreturn typeof axe;", source()));
    let browser = Browser::start(&tour.portal.base, Wish::default()).await;
    let (mut found, mut last) = (Vec::new(), "");
    for stop in &tour.stops {
        browser.resize(1280, 900).await;
        tour.visit(&browser, stop, last).await;
        last = stop.as_whom;
        assert_eq!(browser.script(&axe).await, "object", "{}: the checker is in the page", stop.name);
        for (width, height) in SIZES {
            browser.resize(width, height).await;
            for name in ["light", "dark"] {
                scheme(&browser, name).await;
                // Only colours differ between the schemes.
                let rules = if name == "light" { Value::Null } else { json!(["color-contrast"]) };
                let faults = faults(&browser, rules).await;
                let at = format!("{} ({}), {width} px, {name}", stop.name, stop.path);
                found.extend(faults.into_iter().map(|fault| format!("{at}: {fault}")));
            }
        }
    }
    browser.quit().await;
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}
