//! Checks that the databases of a person together stay within the quota. Runs in the transaction of the request and
//! under the lock of the account, so that concurrent requests count each other. The limits of storage tiers are in
//! [`tier_limit`], and [`space`] watches what is filled.

pub(crate) mod space;
pub(crate) mod tier_limit;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::quotas::Quota;
use crate::admin_db::people::{accounts, quotas};
use crate::app::App;
use crate::queue::refusal::RequestError;

/// Usage of an account before a request.
pub(super) struct QuotaUsage {
    account: Uuid,
    username: String,
    quota: Quota,
}

/// Locks the account and reads its current usage.
pub(super) async fn before(tx: &mut PgConnection, account: Uuid) -> Result<QuotaUsage, RequestError> {
    let locked = accounts::lock(&mut *tx, &[account]).await?;
    let username = locked.into_iter().next().ok_or(RequestError::Gone)?.username;
    let quota = quotas::of(tx, account).await?.ok_or(RequestError::Gone)?;
    Ok(QuotaUsage { account, username, quota })
}

impl QuotaUsage {
    /// Rejects what was written since [`before`] if it exceeds the quota.
    pub(super) async fn check(self, app: &App, tx: &mut PgConnection) -> Result<(), RequestError> {
        let now = quotas::of(tx, self.account).await?.ok_or(RequestError::Gone)?;
        match now.exceeded(&self.quota, &self.username, &app.config.limits) {
            Some(why) => Err(RequestError::OverQuota(why)),
            None => Ok(()),
        }
    }
}
