//! What happens at targets, as whoever asks is told.

use alloc::boxed::Box;

use super::{Fanout, Output};
use crate::base::Outbox;
use crate::model::{Advisory, LinkId};
use crate::wire::Frame;

impl Fanout {
    /// The application wants to be told what happens at all targets, also at those that come up later, or no more.
    pub(crate) fn set_curious(&mut self, wanted: bool, out: &mut Outbox<Output>) {
        if core::mem::replace(&mut self.is_curious, wanted) != wanted {
            for link in self.targets.keys() {
                out.push(Output::Say { link: *link, frame: Frame::Advise { wanted } });
            }
        }
    }

    /// A target tells. What crosses the word that nobody wants to know is for nobody.
    pub(super) fn hear_advisory(
        &mut self,
        link: LinkId,
        missed: u64,
        advisory: Box<Advisory>,
        out: &mut Outbox<Output>,
    ) {
        if let Some(target) = self.targets.get(&link).filter(|_| self.is_curious) {
            out.push(Output::Advised { broker: target.found.broker, missed, advisory });
        }
    }
}
