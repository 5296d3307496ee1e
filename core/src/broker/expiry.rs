//! Messages whose time is up.

use alloc::sync::Arc;
use core::time::Duration;

use crate::model::Message;

/// Takes what has passed off what is left of a message's life. Only one that has an end is copied for it.
#[inline]
pub(super) fn age(message: &mut Arc<Message>, passed: Duration) {
    if let Some(left) = message.body.time_to_live {
        Arc::make_mut(message).body.time_to_live = Some(left.saturating_sub(passed));
    }
}
