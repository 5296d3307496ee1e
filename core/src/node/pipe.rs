//! A link as the node sees it, from the asking to the end.

use alloc::boxed::Box;
use core::net::SocketAddr;

use crate::link::Link;
use crate::model::Address;
use crate::wire::Hello;

/// One link that was asked for and not answered by `Closed` yet.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) stage: Stage,
    /// The address dialled; none if the other end dials us.
    pub(super) dialled: Option<Address>,
    pub(super) remote: Option<SocketAddr>,
    /// Who is at the other end, once they have said so and are welcome.
    pub(super) hello: Option<Hello>,
    pub(super) duty: Duty,
    /// True if it has bytes to send since they were last looked for.
    pub(super) is_dirty: bool,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Duty {
    /// It leads to a peer.
    Bridge,
    /// Not known yet, or nothing.
    #[default]
    None,
    /// It leads to a client of ours.
    Serve,
    /// It leads to a broker that we fan out to.
    Target,
}

/// How far a link is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Asked for.
    Coming,
    /// Connected.
    Up(Box<Link>),
    /// Asked to close.
    Closing,
}

impl Pipe {
    pub(super) fn new(dialled: Option<Address>) -> Self {
        Self { stage: Stage::Coming, dialled, remote: None, hello: None, duty: Duty::None, is_dirty: false }
    }

    /// True for a slot that nobody has connected to.
    pub(super) fn is_slot(&self) -> bool {
        self.dialled.is_none() && matches!(self.stage, Stage::Coming)
    }

    /// True once it was asked to close.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing)
    }

    pub(super) fn link(&self) -> Option<&Link> {
        match &self.stage {
            Stage::Up(link) => Some(link),
            Stage::Coming | Stage::Closing => None,
        }
    }

    pub(super) fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Up(link) => Some(link),
            Stage::Coming | Stage::Closing => None,
        }
    }
}
