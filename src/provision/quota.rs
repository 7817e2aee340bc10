//! Whether a person's databases together stay within what they may take. Asked in the transaction that asks for more,
//! under the account's lock, so that two requests at once count each other.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::quotas::Quota;
use crate::admin_db::people::{accounts, quotas};
use crate::app::App;
use crate::queue::refusal::RequestError;

/// What an account's databases took before something asks for more.
pub(super) struct QuotaUsage {
    account: Uuid,
    username: String,
    quota: Quota,
}

/// Locks the account and reads its sums.
pub(super) async fn before(tx: &mut PgConnection, account: Uuid) -> Result<QuotaUsage, RequestError> {
    let locked = accounts::lock(&mut *tx, &[account]).await?;
    let username = locked.into_iter().next().ok_or(RequestError::Gone)?.username;
    let quota = quotas::of(tx, account).await?.ok_or(RequestError::Gone)?;
    Ok(QuotaUsage { account, username, quota })
}

impl QuotaUsage {
    /// Refuses what was written since, where that is too much.
    pub(super) async fn check(self, app: &App, tx: &mut PgConnection) -> Result<(), RequestError> {
        let now = quotas::of(tx, self.account).await?.ok_or(RequestError::Gone)?;
        match now.exceeded(&self.quota, &self.username, &app.config.limits) {
            Some(why) => Err(RequestError::OverQuota(why)),
            None => Ok(()),
        }
    }
}
