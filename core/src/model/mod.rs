//! Rank 1: the nouns everyone shares, valid by construction and with no behaviour beyond that.

mod admin;
mod close;
mod consumer_priority;
mod delivery;
mod demand;
mod destination;
mod durable;
mod id;
mod message;
mod path;
mod priority;
mod request;
mod role;
pub mod selector;
mod service;
mod temporary;
mod value;

pub use admin::{AdminReply, AdminRequest, DestinationStatus, Inventory};
pub use close::CloseReason;
pub use consumer_priority::{ConsumerPriority, ConsumerPriorityError};
pub use delivery::{Ack, AckExtent, AckKind, Delivery};
pub use demand::Demand;
pub use destination::{Destination, DestinationError, DestinationKind};
pub use durable::{Durable, DurableError};
pub use id::{BrokerId, ConnectionId, ConsumerId, GroupId, LinkId, ListenerId, MessageId, ProducerId, RequestId, Tag};
pub(crate) use id::{Origin, Ticket};
pub use message::{Body, BodyKind, Message, MessageError};
pub use path::Path;
pub use priority::{Priority, PriorityError};
pub use request::{Answer, Refusal, Subscription, What};
pub use role::Role;
pub use selector::{Selector, SelectorError};
pub use service::{Address, AddressError, Host, Service};
pub use temporary::Temporary;
pub use value::{Properties, PropertiesError, Value};
