//! Who takes a place among the long-lived requests: a user, and a client address.

use crate::auth::limits::place;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::open_requests::{CapPermit, Caps};

/// Seconds after which the client may try again.
const AGAIN: u64 = 10;

impl Caps {
    /// Counts one more open request for the client, or returns `None` if its limit is reached.
    pub fn take(&self, ctx: &Context) -> Result<Option<CapPermit>, AppError> {
        let address = &ctx.meta.address;
        let place = address.parse().map_or_else(|_| address.clone(), |ip| place(ip).to_string());
        Ok(self.enter([format!("person {}", ctx.user()?.id), format!("address {place}")]))
    }

    /// Like [`Self::take`], but returns an error with a message if the limit is reached.
    pub fn hold(&self, ctx: &Context, what: &str) -> Result<CapPermit, AppError> {
        let held = self.take(ctx)?;
        held.ok_or_else(|| {
            AppError::Crowded(format!("You have too many {what} open. Close some and try again."), AGAIN)
        })
    }
}
