//! Notices that say the same are one, and are dismissed together.

use crate::support::TestPortal;

/// Makes the same notice about a database.
fn tell(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "insert into notice (id, container_id, kind, text, at, tell_after)
         select gen_random_uuid(), id, 'backup_failed', 'The target does not answer.', now(), now() from container where name = '{name}'"
    ));
    portal.sql(&format!("select n.id from notice n join container c on c.id = n.container_id where c.name = '{name}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_notices_are_one_and_are_dismissed_together_but_only_ones_own() {
    let portal = TestPortal::start().await;
    let (ada, bert) = (portal.user("ada").await, portal.user("bert").await);
    let admin = portal.admin().await;
    for name in ["lab", "mice"] {
        ada.create(name, &[]).await;
    }
    bert.create("other", &[]).await;
    let [lab, mice, other] = ["lab", "mice", "other"].map(|name| tell(&portal, name));
    let told = async || ada.get("/").await.expect(200).all(".attention strong");
    // The newest first.
    assert_eq!(told().await, ["Backups of 2 databases failed: mice, lab"]);
    let overview = admin.get("/admin").await.expect(200).text();
    assert!(overview.contains("Backups of 3 databases failed: other, mice, lab"), "{overview}");
    assert!(overview.contains("Their owners are ada, bert."), "{overview}");

    let form = ada.get("/").await.body;
    assert!(form.contains(&format!("name=\"also\" value=\"lab/{lab}\"")), "{form}");
    let also = format!("lab/{lab}");
    let fields = [("back", "home"), ("also", also.as_str()), ("also", &format!("other/{other}"))];
    ada.post(&format!("/containers/mice/notices/{mice}/seen"), &fields).await.expect(303);
    assert!(told().await.is_empty());
    let seen = "select string_agg(c.name, ' ' order by c.name) from notice n join container c on c.id = n.container_id where owner_seen_at is not null";
    assert_eq!(portal.sql(seen), "lab mice", "not that of somebody else");
    let overview = admin.get("/admin").await.expect(200).text();
    assert!(overview.contains("Backups of 3 databases failed"), "administrators dismiss their own: {overview}");
}
