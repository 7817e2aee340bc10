//! Databases whose owner has set traps for whoever works in them: each trap notes who ran it and tries to climb. The portal
//! does all it can do with them, and nothing of them runs with other rights than its owner's.

mod postgres;
