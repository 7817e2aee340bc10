//! Administrators edit and delete accounts.

use crate::backups::cli;
use crate::support::TestPortal;

fn id_of(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!("select id from account where username = '{name}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_after_its_belongings_have_a_new_owner() {
    let portal = TestPortal::start().await;
    let (admin, ada, bo) = (portal.admin().await, portal.user("ada").await, portal.user("bo").await);
    ada.create("lab", &[]).await;
    let token = portal.token(&ada).await;
    let page = format!("/admin/users/{}", id_of(&portal, "ada"));

    let details = async |email: &str| admin.post(&page, &[("email", email), ("department", "Genetics")]).await;
    assert!(details("ada").await.expect(422).text().contains("Enter an e-mail address"));
    assert_eq!(details("ada@example.org").await.expect(303).location, page, "back to the account");
    let text = admin.get(&page).await.expect(200);
    assert!(text.body.contains("value=\"ada@example.org\"") && text.body.contains("value=\"Genetics\""));
    assert!(ada.get("/account").await.expect(200).text().contains("ada@example.org"));

    let deletion = format!("{page}/delete");
    let preview = admin.get(&deletion).await.expect(200).text();
    for part in ["1 API token stops working", "1 database, with 0 backups, go to the new owner", "lab", "New owner"] {
        assert!(preview.contains(part), "{part}: {preview}");
    }
    let delete = async |name: &str, heir: &str| admin.post(&deletion, &[("confirm", name), ("heir", heir)]).await;
    for (name, heir, why) in [
        ("lab", "bo", "Type the name exactly: ada"),
        ("ada", "", "Enter the account that gets"),
        ("ada", "ada", "other than the deleted one"),
        ("ada", "nobody-at-all", "There is no account “nobody-at-all”"),
    ] {
        let text = delete(name, heir).await.expect(422).text();
        assert!(text.contains(why), "{why}: {text}");
    }
    ada.get("/containers/lab").await.expect(200);
    // What the new owner may have in total limits what can be handed over.
    let limits = format!("/admin/users/{}/limits", id_of(&portal, "bo"));
    admin.post(&limits, &[("memory", "1m"), ("cpus", "")]).await.expect(303);
    assert!(delete("ada", "bo").await.expect(409).text().contains("All databases of bo together may use"));
    admin.post(&limits, &[("memory", ""), ("cpus", "")]).await.expect(303);

    assert_eq!(delete("ada", "bo").await.expect(303).location, "/admin/users");
    assert_eq!(id_of(&portal, "ada"), "");
    bo.get("/containers/lab").await.expect(200);
    portal.connect("lab", "correct-horse").await.expect("the database keeps running");
    assert_eq!(ada.get("/").await.status, 303, "the session has ended");
    token.get("/api/v1/containers").await.expect(401);
    let logged = "select string_agg(action || ': ' || detail, '; ' order by id) from log
                   where action in ('container.edit', 'user.delete')";
    let logged = portal.sql(logged);
    assert!(logged.contains("changed owner ada → bo") && logged.contains("user.delete: ada, user"), "{logged}");

    // A later account of the same name does not get the databases of the old one.
    let ada = portal.user("ada").await;
    ada.get("/containers/lab").await.expect(404);
    // Without databases, no new owner is needed.
    let page = format!("/admin/users/{}/delete", id_of(&portal, "ada"));
    assert!(!admin.get(&page).await.expect(200).text().contains("New owner"));
    admin.post(&page, &[("confirm", "ada")]).await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let portal = TestPortal::start().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    let (own, id) = (id_of(&portal, "admin"), id_of(&portal, "ada"));
    for (verb, fields) in [("delete", vec![("confirm", "admin"), ("heir", "ada")]), ("role", vec![("role", "user")])] {
        admin.post(&format!("/admin/users/{own}/{verb}"), &fields).await.expect(409);
    }
    admin.get(&format!("/admin/users/{own}/delete")).await.expect(409);
    let (code, said) = cli(&portal, &["user", "disable", "admin"]);
    assert!(code == 1 && said.contains("admin is the last administrator"), "{code} {said}");
    // The database itself refuses it too.
    let demote = "do $$ begin update account set role = 'user'; exception when check_violation then
                  create table refused as select 1; end $$";
    portal.sql(demote);
    assert_eq!(portal.sql("select count(*) from refused"), "1");
    // Two administrators who delete each other at once.
    admin.post(&format!("/admin/users/{id}/role"), &[("role", "admin")]).await.expect(303);
    let delete = |id: &str| format!("/admin/users/{id}/delete");
    let (to_ada, to_admin) = (delete(&id), delete(&own));
    tokio::join!(admin.post(&to_ada, &[("confirm", "ada")]), ada.post(&to_admin, &[("confirm", "admin")]));
    assert_eq!(portal.sql("select count(*) from account"), "1");
}
