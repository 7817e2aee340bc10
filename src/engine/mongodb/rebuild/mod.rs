//! What a restore or a load asks of the server on which the data already is.

mod check_rights;
mod drop_unselected;

pub(super) use check_rights::CheckRights;
pub(super) use drop_unselected::DropUnselected;
