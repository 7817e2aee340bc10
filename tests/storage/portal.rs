//! A portal with a database whose data directory was tampered with: the start is rejected with an error message, and
//! nothing about files elsewhere is disclosed.

use super::scratch::is_on_the_disk_of_the_data;
use super::{SECRET, fifo, link};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_version_file_prevents_only_its_own_start() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let id = portal.sql("select id from container where name = 'lab'");
    let root = portal.config.storage[0].path.join(&portal.instance).join(id);
    let file = root.join("data/PG_VERSION");
    let (kept, secret) = (file.with_extension("kept"), portal.dir.join("secret"));
    std::fs::rename(&file, &kept).expect("moved");
    std::fs::write(&secret, SECRET).expect("a secret");
    let kinds: [&dyn Fn(); 3] = [&|| link(&secret.display().to_string(), &file), &|| fifo(&file), &|| {
        std::fs::write(&file, format!("{SECRET} of the owner\n")).expect("a file");
    }];
    for lay in kinds {
        lay();
        ada.post("/containers/lab/start", &[]).await.expect(303);
        let last = "from job where kind = 'start' order by created_at desc limit 1";
        portal.until(&format!("select status {last}"), |status| status == "failed").await;
        let said = portal.sql(&format!("select error {last}"));
        assert!(said.contains("PG_VERSION") && said.contains("not written by a database server"), "{said}");
        let page = ada.get("/containers/lab").await.expect(200).text();
        assert!(!page.contains(SECRET) && !said.contains(SECRET), "{page}");
        std::fs::remove_file(&file).expect("removed");
    }
    std::fs::rename(&kept, &file).expect("moved back");
    ada.post("/containers/lab/start", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    portal.connect("lab", "correct-horse").await.expect("its user signs in");
    is_on_the_disk_of_the_data(&portal.container("lab"), &root);
}
