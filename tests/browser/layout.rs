//! Every page on a narrow screen, and the browser's console messages for each.

use super::driver::{Browser, Wish};
use super::tour::Tour;

/// Elements that extend beyond the page, unless an element around them scrolls.
const STICKS_OUT: &str = "
const width = document.documentElement.clientWidth, out = [];
const scrolls = e => { for (let p = e; p && p !== document.body; p = p.parentElement)
  if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return true; return false; };
for (const e of document.querySelectorAll('body *')) {
  const box = e.getBoundingClientRect();
  if (box.width > 1 && box.height > 1 && (box.right > width + 0.5 || box.left < -0.5) && !scrolls(e.parentElement))
    out.push(`${e.tagName.toLowerCase()}.${e.className}#${e.id} ${Math.round(box.left)}..${Math.round(box.right)}: ${(e.textContent || '').trim().slice(0, 40)}`);
}
return { wide: document.documentElement.scrollWidth > width, width: document.documentElement.scrollWidth, out: out.slice(0, 5) };
";

#[tokio::test(flavor = "multi_thread")]
async fn no_page_scrolls_sideways_or_logs_errors() {
    let tour = Box::pin(Tour::prepare()).await;
    let browser = Browser::start(&tour.portal.base, Wish { size: (360, 800), ..Wish::default() }).await;
    let (mut faults, mut last) = (Vec::new(), "");
    for stop in &tour.stops {
        tour.visit(&browser, stop, last).await;
        last = stop.as_whom;
        // A telephone, a narrow and a usual tablet, where tables are no longer cards, and one almost as wide as a computer.
        for width in [640, 768, 940, 360] {
            browser.resize(width, 800).await;
            let seen = browser.script(STICKS_OUT).await;
            if seen["wide"] == true || !seen["out"].as_array().is_some_and(Vec::is_empty) {
                faults.push(format!("{} ({}) at {width}: {seen:#}", stop.name, stop.path));
            }
        }
        if browser.text("h1").await.is_empty() {
            faults.push(format!("{} ({}): no heading", stop.name, stop.path));
        }
        for entry in browser.log().await {
            // The error status of the page itself is expected; the browser logs it as a failed resource.
            let meant =
                stop.error && entry.source.as_deref() == Some("network") && entry.message.contains("status of 4");
            if !meant {
                faults.push(format!("{} ({}): {}: {}", stop.name, stop.path, entry.level, entry.message));
            }
        }
    }
    browser.quit().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
