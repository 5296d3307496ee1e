//! Rank 2: frames and adverts to bytes and back. Knows no clock and no policy.

mod advert;
mod frame;
mod native;
mod stream;

pub use advert::{Advert, AdvertError, AdvertStatus};
pub use frame::{Farewell, Frame, Hello};
pub use native::{Decoder, Encoder, FrameBuffer, PREFACE, VERSION_MAX, VERSION_MIN};
pub(crate) use native::{ROUTES_MAX, SharedEncoder};
pub use stream::{DecodeError, Deframer};
