//! Headless Chromium, controlled by chromedriver. Both processes end when their owning value is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, LoggingPrefsLogLevel};

use crate::support::ADMIN_PASSWORD;

/// How long something in a page may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to be created, start or stop.
pub const JOB: Duration = crate::support::PATIENCE;

/// The browser's error when a container starts on its machine.
const NETWORK_CHANGED: &str = "ERR_NETWORK_CHANGED";

/// How the browser of a test differs from the default.
pub struct Wish {
    /// Whether pages may run scripts.
    pub scripting: bool,
    /// Width and height of the page in CSS pixels.
    pub size: (u32, u32),
}

impl Default for Wish {
    fn default() -> Self {
        Self { scripting: true, size: (1280, 900) }
    }
}

/// The driver's process and the browser's directory.
struct Chromedriver {
    process: Child,
    profile: PathBuf,
    /// Kept open: the driver must be able to write to it.
    _output: BufReader<std::process::ChildStdout>,
    address: String,
}

/// A browser that uses a portal.
pub struct Browser {
    driver: WebDriver,
    base: String,
    _process: Chromedriver,
}

impl Chromedriver {
    fn start() -> Self {
        let unique = hex::encode(mydb::secrets::Random::system().bytes::<6>());
        let profile = std::env::temp_dir().join(format!("db4sci-chromium-{unique}"));
        std::fs::create_dir(&profile).expect("a directory for the browser");
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("FONTCONFIG_FILE", fonts(&profile))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            let read = output.read_line(&mut line).expect("the output of chromedriver");
            assert!(read > 0, "chromedriver ended before it had a port");
            if let Some((_, rest)) = line.split_once("successfully on port ") {
                break rest.trim().trim_end_matches('.').to_owned();
            }
        };
        Self { process, profile, _output: output, address: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // A browser that outlived its driver is identified by its directory, which is unique.
        let mark = self.profile.display().to_string();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(id) = process.file_name().to_string_lossy().parse::<i32>() else { continue };
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains(&mark) {
                let _ = Command::new("kill").args(["-KILL", &id.to_string()]).stderr(Stdio::null()).status();
            }
        }
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.profile).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Fonts as on a desktop: `system-ui` is a modern face if one is installed here.
fn fonts(profile: &Path) -> PathBuf {
    let file = profile.join("fonts.conf");
    let alias = |family: &str, face: &str| {
        format!("<alias binding=\"strong\"><family>{family}</family><prefer><family>{face}</family></prefer></alias>")
    };
    let text = format!(
        "<?xml version=\"1.0\"?><fontconfig><include ignore_missing=\"yes\">/etc/fonts/fonts.conf</include>{}{}</fontconfig>",
        alias("system-ui", "Inter"),
        alias("sans-serif", "Inter"),
    );
    std::fs::write(&file, text).expect("the fonts' configuration");
    file
}

fn capabilities(profile: &Path, wish: &Wish) -> Capabilities {
    let mut chrome = DesiredCapabilities::chrome();
    let window = format!("--window-size={},{}", wish.size.0.max(600), wish.size.1);
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--ignore-certificate-errors",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        // To the browser, each container that starts on this machine is a network change. It then aborts requests over
        // HTTP/2, but not over HTTP/1.1, and does not reload a failed page by itself while it is remote-controlled.
        "--disable-http2",
        "--enable-auto-reload",
        // Requests to other hosts fail and appear in the log.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        window.as_str(),
        profile.as_str(),
    ];
    for argument in arguments {
        chrome.add_arg(argument).expect("an argument");
    }
    chrome.set_binary("/usr/bin/chromium").expect("the browser");
    chrome.accept_insecure_certs(true).expect("certificates of a test portal");
    chrome.set_logging_prefs("browser", LoggingPrefsLogLevel::All).expect("the browser's log");
    if !wish.scripting {
        let preferences = json!({ "profile.managed_default_content_settings.javascript": 2 });
        chrome.add_experimental_option("prefs", preferences).expect("preferences");
    }
    chrome.into()
}

impl Browser {
    /// Starts a browser for the portal at this address.
    pub async fn start(base: &str, wish: Wish) -> Self {
        let process = Chromedriver::start();
        let capabilities = capabilities(&process.profile, &wish);
        let driver = WebDriver::new(&process.address, capabilities).await.expect("the browser starts");
        let browser = Self { driver, base: base.to_owned(), _process: process };
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
        let mut tries = 0;
        while let Err(e) = self.driver.goto(address.as_str()).await {
            tries += 1;
            assert!(tries < 5 && e.to_string().contains(NETWORK_CHANGED), "{address} opens: {e}");
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
                    // A container that starts on this machine is a change of the network, for which the browser gives up.
                    if self.text("body").await.contains(NETWORK_CHANGED) {
                        let _ = self.driver.refresh().await;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(e) => panic!("there is no {what} on {}: {e}\n{}", self.path().await, self.text("body").await),
            }
        }
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

    /// Clicks an element, again if the page has replaced it since it was found. If it is gone then, the click has worked.
    async fn click_on(&self, by: By, what: &str) {
        let begin = Instant::now();
        loop {
            match self.seek(by.clone(), what).await.click().await {
                Ok(()) => return,
                Err(e) if e.to_string().contains("stale") && begin.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    if self.driver.find(by.clone()).await.is_err() {
                        return;
                    }
                }
                Err(e) => panic!("{what} is clicked: {e}"),
            }
        }
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, words: &str) {
        let path = format!("//*[self::button or self::a or self::summary][normalize-space()='{words}']");
        self.click_on(By::XPath(path), &format!("“{words}”")).await;
    }

    /// The same, and waits until another page has loaded.
    pub async fn press_and_go(&self, words: &str) {
        self.script("window.left = true").await;
        self.press(words).await;
        self.until("another page follows", PATIENCE, async |b| {
            b.try_script("return document.readyState === 'complete' && !window.left").await == Some(Value::Bool(true))
        })
        .await;
    }

    /// Replaces the text of a field by typing.
    pub async fn fill_in(&self, id: &str, text: &str) {
        let field = self.find(&format!("#{id}")).await;
        field.clear().await.expect("the field is cleared");
        field.send_keys(text).await.unwrap_or_else(|e| panic!("{id} is typed: {e}"));
    }

    /// Types into the element that has the focus.
    pub async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("keys are typed");
    }

    /// Waits until `seen` returns true.
    pub async fn until(&self, what: &str, patience: Duration, mut seen: impl AsyncFnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !seen(self).await {
            assert!(begin.elapsed() <= patience, "{what}, but {} says: {}", self.path().await, self.text("body").await);
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
