/** What every call throws that fails: the message is the core's. Nothing has changed. */
export interface FlockError extends Error {
  name: "FlockError";
  code:
    | "Config"
    | "Destination"
    | "Duration"
    | "HostTaken"
    | "Past"
    | "Scenario"
    | "Seed"
    | "Step"
    | "UnknownHost"
    | "Uri";
}

/** Something a host's application was told: its name, its virtual time in milliseconds, and what goes with it. */
export interface Told {
  type:
    | "Accepted"
    | "AckRefused"
    | "Advised"
    | "Answered"
    | "Browsed"
    | "ClientLost"
    | "ClientUp"
    | "ConsumerEnded"
    | "Delivered"
    | "DiscoveryFailed"
    | "LinkRefused"
    | "ListenFailed"
    | "Listening"
    | "NameClash"
    | "PeerLost"
    | "PeerReady"
    | "PeerUp"
    | "Refused"
    | "Replied"
    | "ServiceFound"
    | "ServiceLost"
    | "Stopped"
    | "SubscriptionRefused"
    | "TargetFound"
    | "TargetGivenUp"
    | "TargetLost"
    | "TargetUp"
    | "Targets";
  at: number;
  host: string;
  /** Of `Delivered`: the messages, in order. */
  deliveries?: Delivery[];
  [field: string]: unknown;
}

/** A message handed to a consumer: `text`, or `bytes` if it holds none. */
export interface Delivery {
  tag: number;
  redeliveries: number;
  id: string;
  destination: string;
  text?: string;
  bytes?: number[];
}

/** A step of a scenario that was done. */
export interface Step {
  at: number;
  step: string;
}

/** Something that has left a host for another. */
export interface Flight {
  from: string;
  to: string;
  left: number;
  /** None if it is lost by chance. While the path is cut, what is on a stream waits, and a datagram is lost. */
  arrives: number | null;
  bytes: number;
  /** What matters most of what is carried. */
  kind: "ack" | "advert" | "bytes" | "control" | "demand" | "keepalive" | "message";
  /** What each frame says, in a few words. */
  says: string[];
  messages: { id: string; destination: string; text: string }[];
}

/** Who there is, who is linked to whom, and which paths are cut. */
export interface Topology {
  hosts: HostView[];
  links: { a: string; b: string; kind: "bridge" | "client"; isReady: boolean }[];
  cuts: { from: string; to: string }[];
}

/** A host. */
export interface HostView {
  name: string;
  kind: "broker" | "client" | "peer";
  group: string;
  address: string;
  state: "down" | "paused" | "up";
  /** What its application takes. */
  takes: string[];
  /** How often its process was started. */
  starts: number;
  /** How many of queues' messages it holds. */
  held: number;
}

/** A host, in all that there is to see of it; the optional parts are of those that run. */
export interface NodeView extends HostView {
  broker?: string;
  destinations?: DestinationView[];
  /** Its own application's and its clients' consumers. */
  consumers?: ConsumerView[];
  /** What its peers want. */
  demands?: ConsumerView[];
  dials?: DialView[];
  targets?: Target[];
  stats?: Record<string, number>;
}

/** A queue or topic of a broker. */
export interface DestinationView {
  name: string;
  kind: "queue" | "topic";
  depth: number;
  parked: number;
  outstanding: number;
  consumers: number;
  producers: number;
  enqueued: number;
  dequeued: number;
  dispatched: number;
  dropped: number;
}

/** A consumer of a broker: its own application's if `by` is null, else a client's or peer's. */
export interface ConsumerView {
  by: string | null;
  destination: string;
  hops: number;
  outstanding: number;
  waitingBytes: number;
}

/** An address that a link is wanted to; `at` is when it is dialled next, in milliseconds. */
export interface DialView {
  address: string;
  state: "Connecting" | "GivenUp" | "Met" | "Waiting";
  at: number | null;
  met: string | null;
  failures: number;
}

/** A broker that a client fans out to, or would: what it has answered so far, and who it is while it is `Up`. */
export interface Target {
  address: string;
  state: "Connecting" | "GivenUp" | "Up" | "Waiting";
  accepted: number;
  refused: number;
  unansweredBytes: number;
  broker?: string;
  name?: string;
  remote?: string;
  host?: string;
}

/** What became of what applications sent. */
export interface Statistics {
  at: number;
  sent: number;
  delivered: number;
  duplicate: number;
  refused: number;
  /** Copies that are owed to subscribers or to a queue's consumer and have not come yet. */
  missing: number;
  /** Those of them that have not come for ten seconds and wait in no queue. */
  lost: number;
  /** Messages in queues, handed out ones included. */
  held: number;
  /** In milliseconds, of what was delivered since the last call. */
  latency: { count: number; median: number | null; p95: number | null; max: number | null };
  network: Record<string, number>;
}

/** What a simulated run came to: how many messages applications sent, were delivered (each copy counted) and refused. */
export interface Run {
  milliseconds: number;
  sent: number;
  delivered: number;
  refused: number;
  traceHash: string;
}
