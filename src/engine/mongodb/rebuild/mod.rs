//! What a restore or a load does in the server that already contains the data.

mod check_rights;
mod drop_unselected;
mod insert_documents;

pub(super) use check_rights::CheckRights;
pub(super) use drop_unselected::DropUnselected;
pub(super) use insert_documents::InsertDocuments;
