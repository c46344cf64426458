internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Transfer

/// Who waits for a data connection that the other side dials.
enum DataOwner: Sendable {
  case puller(TransferID)
  case server(NodeID)
}

/// Where data connections that will be dialled to us are announced.
protocol AttachmentDesk: Sendable {
  /// From now on, and for 30 s, whoever proves the key may attach as this connection, once.
  func expect(_ connection: ConnectionID, key: SecretBox, owner: DataOwner) async
}

extension Node: AttachmentDesk {
  func expect(_ connection: ConnectionID, key: SecretBox, owner: DataOwner) {
    if !desk.expect(connection, key: key, owner: owner, at: MonotonicClock.now) {
      context.peerLog.note(.warning, "too many data connections are announced", peer: nil)
    }
  }

  /// Somebody dialled with the first byte of a data connection. Throwing closes the stream silently.
  func welcomeData(_ stream: TCPStream, at place: Doorway.Place, by deadline: Deadline) async throws {
    guard let message = try await stream.read(exactly: Attach.byteCount, deadline: deadline),
      let (connection, owner) = desk.admit(message, at: MonotonicClock.now)
    else { throw LinkEnded() }
    guard let permit = context.descriptors.take(.data) else {
      context.peerLog.note(.warning, "a data connection is refused: too many descriptors are in use", peer: nil)
      throw LinkEnded()
    }
    await stream.hold(permit)
    place.leave()
    switch owner {
    case .puller(let transfer):
      guard let puller = pulls[transfer] else { throw LinkEnded() }
      await puller.adopt(stream, as: connection)
    case .server(let id):
      guard let server = servers[id] else { throw LinkEnded() }
      await server.adopt(stream, as: connection)
    }
  }

  func expireAnnounced() { desk.expire(at: MonotonicClock.now) }
}

/// Opens a data connection to a node that we reach.
enum DataDialler {
  /// For the connection and its one message.
  static let time = Duration.seconds(10)

  static func dial(
    _ place: SocketAddress, connection: ConnectionID, key: SecretBox, on loop: EventLoop,
    within descriptors: DescriptorBudget = .process
  ) async throws -> TCPStream {
    guard let permit = descriptors.take(.data) else { throw LoopError(.tooManyFiles, "connect \(place)") }
    let deadline = Deadline.after(time)
    let stream = try await TCPStream.connect(to: place, on: loop, deadline: deadline)
    await stream.hold(permit)
    try await stream.write([Preamble.data.rawValue] + Attach.message(connection: connection, key: key), deadline: deadline)
    return stream
  }
}

extension Peer {
  /// Where the puller of a transfer dials its data connections to: the place where a link ends that this side dialed, since a
  /// name might by now stand for another one. nil: the other side dials.
  var pullerDials: SocketAddress? { links.last { $0.dialled != nil }?.connection.ends?.remote }

  /// The same for the server of a transfer, which dials only if it dialled every link that is up: one that the puller dialled
  /// means that the puller dials.
  var serverDials: SocketAddress? {
    links.allSatisfy { $0.dialled != nil } ? links.last?.connection.ends?.remote : nil
  }
}
