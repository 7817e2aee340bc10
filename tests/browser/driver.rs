//! Headless Chromium, controlled by chromedriver.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::BrowserLogEntry;
use thirtyfour::prelude::*;

pub use super::chromium::Wish;
use super::chromium::{Chromedriver, capabilities};
use crate::support::ADMIN_PASSWORD;

/// How long something in a page may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to be created, start or stop.
pub const JOB: Duration = crate::support::PATIENCE;

/// The browser's error when a container starts on its machine.
const NETWORK_CHANGED: &str = "ERR_NETWORK_CHANGED";

/// Marks the page that is open.
const LEFT: &str = "window.left = true";

/// A browser that uses a portal.
pub struct Browser {
    driver: WebDriver,
    base: String,
    scripting: bool,
    _process: Chromedriver,
}

impl Browser {
    /// Starts a browser for the portal at this address.
    pub async fn start(base: &str, wish: Wish) -> Self {
        let process = Chromedriver::start();
        let capabilities = capabilities(&process.profile, &wish);
        let driver = WebDriver::new(&process.address, capabilities).await.expect("the browser starts");
        let browser = Self { driver, base: base.to_owned(), scripting: wish.scripting, _process: process };
        browser.resize(wish.size.0, wish.size.1).await;
        browser
    }

    /// Quits the browser. Dropping it kills its processes.
    pub async fn quit(self) {
        let _ = self.driver.clone().quit().await;
    }

    /// Sets the size of the page in CSS pixels, which may be smaller than the smallest window.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Sends a command of the DevTools protocol.
    pub async fn command(&self, method: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(method, parameters).await.unwrap_or_else(|e| panic!("{method}: {e}"))
    }

    /// Opens a page by its path, or by its full address.
    pub async fn open(&self, path: &str) {
        let address = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        let begin = Instant::now();
        while let Err(e) = self.driver.goto(address.as_str()).await {
            let again = begin.elapsed() < PATIENCE && e.to_string().contains(NETWORK_CHANGED);
            assert!(again, "{address} opens: {e}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Path of the page that is open.
    pub async fn path(&self) -> String {
        self.driver.current_url().await.map(|url| url.path().to_owned()).unwrap_or_default()
    }

    /// The page's title, which is available without scripting, too.
    pub async fn title(&self) -> String {
        self.driver.title().await.unwrap_or_default()
    }

    /// The current HTML of the page.
    pub async fn source(&self) -> String {
        self.driver.source().await.unwrap_or_default()
    }

    /// Runs a script in the page and returns its value.
    pub async fn script(&self, code: &str) -> Value {
        let result = self.driver.execute(code, Vec::new()).await;
        result.unwrap_or_else(|e| panic!("{code}: {e}")).json().clone()
    }

    /// The same for a page that may be about to change; `None` if it did.
    pub async fn try_script(&self, code: &str) -> Option<Value> {
        self.driver.execute(code, Vec::new()).await.ok().map(|result| result.json().clone())
    }

    /// The browser's log since the last call, without the network changes caused by containers of other tests.
    pub async fn log(&self) -> Vec<BrowserLogEntry> {
        let mut log = self.driver.browser_log().await.expect("the browser's log");
        log.retain(|entry| !entry.message.contains(NETWORK_CHANGED));
        log
    }

    /// The first element, as soon as there is one.
    pub async fn find(&self, css: &str) -> WebElement {
        self.seek(By::Css(css.to_owned()), css).await
    }

    async fn seek(&self, by: By, what: &str) -> WebElement {
        let begin = Instant::now();
        loop {
            match self.driver.find(by.clone()).await {
                Ok(element) => return element,
                Err(_) if begin.elapsed() < PATIENCE => {
                    self.reload_if_given_up().await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(e) => self.fail(&format!("there is no {what}: {e}")).await,
            }
        }
    }

    /// Loads the page again if the browser has given it up because a container started on this machine.
    async fn reload_if_given_up(&self) {
        if self.text("body").await.contains(NETWORK_CHANGED) {
            let _ = self.driver.refresh().await;
        }
    }

    /// Fails the test. Its page and a picture of it are saved in var/log.
    async fn fail(&self, what: &str) -> ! {
        let test = std::thread::current().name().unwrap_or("browser").replace("::", "-");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("var/log").join(format!("failed-{test}"));
        let saved = self.driver.screenshot(&file.with_extension("png")).await.is_ok()
            && std::fs::write(file.with_extension("html"), self.source().await).is_ok();
        let saved = if saved { format!("\nsaved as {}.png and .html", file.display()) } else { String::new() };
        panic!("{what}, but {} says: {}{saved}", self.path().await, self.text("body").await)
    }

    /// Whether an element is there now.
    pub async fn has(&self, css: &str) -> bool {
        self.driver.find(By::Css(css.to_owned())).await.is_ok()
    }

    /// The visible text of an element; empty if the element does not exist or disappears.
    pub async fn text(&self, css: &str) -> String {
        match self.driver.find(By::Css(css.to_owned())).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The texts of all elements.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.driver.find_all(By::Css(css.to_owned())).await.unwrap_or_default() {
            texts.push(element.text().await.unwrap_or_default());
        }
        texts
    }

    /// Clicks an element.
    pub async fn click(&self, css: &str) {
        self.click_on(By::Css(css.to_owned()), css).await;
    }

    /// Clicks an element, again if the page has replaced or moved it since it was found.
    async fn click_on(&self, by: By, what: &str) {
        let begin = Instant::now();
        loop {
            let element = self.seek(by.clone(), what).await;
            let before = self.watch_clicks(&element).await;
            let clicked = element.click().await;
            let now = self.try_script("return [performance.timeOrigin, window.hit]").await;
            // The click worked if another page follows, whatever the driver says about an element of the last one.
            let (stays, missed) = match (&before, &now) {
                (Some(before), Some(now)) => (*before == now[0], now[1] == Value::Bool(false)),
                _ => (before.is_none(), false),
            };
            let wrong = match clicked {
                _ if !stays => return,
                Ok(()) if !missed => return,
                Ok(()) => "something else was clicked, because the page changed".to_owned(),
                Err(e) => e.to_string(),
            };
            if begin.elapsed() > PATIENCE {
                self.fail(&format!("{what} is clicked: {wrong}")).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Has the page note in `hit` whether the next click is on this button or link, and returns what identifies the page.
    /// The driver clicks on the place where an element was. `None` if the element is gone, or without scripting.
    async fn watch_clicks(&self, element: &WebElement) -> Option<Value> {
        const WATCH: &str = "const watched = arguments[0].closest('a, button, summary');
            window.hit = watched ? false : null;
            const look = (event) => {
              const hit = event.target.closest('a, button, summary');
              if (watched) window.hit = hit !== null && hit.textContent === watched.textContent;
            };
            window.addEventListener('click', look, { capture: true, once: true });
            return performance.timeOrigin;";
        if !self.scripting {
            return None;
        }
        let page = self.driver.execute(WATCH, vec![element.to_json().ok()?]).await.ok()?;
        Some(page.json().clone())
    }

    /// Clicks a link, and waits until another page has loaded.
    pub async fn click_and_go(&self, css: &str) {
        self.script(LEFT).await;
        self.click(css).await;
        self.until_another_page().await;
    }

    async fn until_another_page(&self) {
        self.until("another page follows", PATIENCE, async |b| {
            b.try_script("return document.readyState === 'complete' && !window.left").await == Some(Value::Bool(true))
        })
        .await;
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, words: &str) {
        let path = format!("//*[self::button or self::a or self::summary][normalize-space()='{words}']");
        self.click_on(By::XPath(path), &format!("“{words}”")).await;
    }

    /// The same, and waits until another page has loaded.
    pub async fn press_and_go(&self, words: &str) {
        self.script(LEFT).await;
        self.press(words).await;
        self.until_another_page().await;
    }

    /// Replaces the text of a field by typing.
    pub async fn fill_in(&self, id: &str, text: &str) {
        let field = format!("#{id}");
        self.used(&field, async |field| {
            field.clear().await?;
            field.send_keys(text).await
        })
        .await;
    }

    /// The visible text of an element, as soon as there is one.
    pub async fn shown(&self, css: &str) -> String {
        self.used(css, async |element| element.text().await).await
    }

    /// Uses an element, again if the page has replaced it since it was found.
    async fn used<T>(&self, css: &str, mut by: impl AsyncFnMut(WebElement) -> WebDriverResult<T>) -> T {
        let begin = Instant::now();
        loop {
            match by(self.find(css).await).await {
                Ok(done) => return done,
                Err(e) if begin.elapsed() > PATIENCE => self.fail(&format!("{css} is used: {e}")).await,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Types into the element that has the focus.
    pub async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("keys are typed");
    }

    /// Waits until `seen` returns true.
    pub async fn until(&self, what: &str, patience: Duration, mut seen: impl AsyncFnMut(&Self) -> bool) {
        let (begin, mut looked) = (Instant::now(), Instant::now());
        while !seen(self).await {
            if begin.elapsed() > patience {
                self.fail(what).await;
            }
            if looked.elapsed() > Duration::from_secs(1) {
                self.reload_if_given_up().await;
                looked = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the open page is that of a database in this state, without a running job. Does not open a page
    /// itself.
    pub async fn until_state(&self, name: &str, state: &str) {
        let page = format!("/containers/{name}");
        let what = format!("{name} should be {state}");
        self.until(&what, JOB, async |b| {
            b.path().await == page && b.text(".head .chip").await == state && !b.has("#steps").await
        })
        .await;
    }

    /// Signs in with the form.
    pub async fn sign_in(&self, username: &str, password: &str) {
        self.open("/login").await;
        self.fill_in("username", username).await;
        self.fill_in("password", password).await;
        self.press("Sign in").await;
        self.until("the front page follows", PATIENCE, async |b| b.path().await == "/").await;
    }

    /// Signs in as the first administrator.
    pub async fn sign_in_as_admin(&self) {
        self.sign_in("admin", ADMIN_PASSWORD).await;
    }

    /// Discards the session and signs in as another user, or as none if the name is empty.
    pub async fn sign_in_anew(&self, username: &str, password: &str) {
        self.driver.delete_all_cookies().await.expect("the cookies are deleted");
        if !username.is_empty() {
            self.sign_in(username, password).await;
        }
    }

    /// Signs out with the menu.
    pub async fn sign_out(&self) {
        self.click(".who .menu:not(.nav-fold) > summary").await;
        self.press("Sign out").await;
        self.until("the sign-in page follows", PATIENCE, async |b| b.path().await == "/login").await;
    }

    /// The open window.
    pub async fn window(&self) -> WindowHandle {
        self.driver.window().await.expect("a window")
    }

    /// Opens another window and switches to it.
    pub async fn new_window(&self) -> WindowHandle {
        let window = self.driver.new_tab().await.expect("another window");
        self.switch_to(window.clone()).await;
        window
    }

    /// Switches to a window.
    pub async fn switch_to(&self, window: WindowHandle) {
        self.driver.switch_to_window(window).await.expect("the window");
    }
}
