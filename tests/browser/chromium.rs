//! The processes of headless Chromium and chromedriver. Both end when their owning value is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

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
pub(super) struct Chromedriver {
    process: Child,
    pub(super) profile: PathBuf,
    /// Kept open: the driver must be able to write to it.
    _output: BufReader<std::process::ChildStdout>,
    pub(super) address: String,
}

impl Chromedriver {
    pub(super) fn start() -> Self {
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

pub(super) fn capabilities(profile: &Path, wish: &Wish) -> Capabilities {
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
