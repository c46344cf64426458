import EventLoop
import Session

@testable import Node

/// A TCP proxy such as somebody on the path could run: it changes, cuts and withholds bytes.
actor Meddler {
  /// Where in the traffic some bytes are.
  struct Place: Sendable {
    /// What the connection is for: its first byte.
    let purpose: UInt8
    /// Connections of this purpose are counted from 0.
    let number: Int
    /// From the side that dialled, or from the node behind the proxy.
    let isFromDialler: Bool
    /// The position of the first of the bytes in its direction.
    let offset: Int
  }

  enum Verdict: Sendable {
    /// Passes the bytes on, as they are now.
    case pass
    /// Ends the connection in both directions.
    case cut
    /// Passes nothing on in this direction any more, and closes nothing.
    case withhold
  }

  typealias Hand = @Sendable (Place, inout [UInt8]) -> Verdict

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  nonisolated let address: PeerAddress

  private let target: SocketAddress
  private let listener: TCPListener
  private var hand: Hand = { _, _ in .pass }
  private var open: [Int: (TCPStream, TCPStream)] = [:]
  private var kinds: [Int: UInt8] = [:]
  private var last = 0
  private var counts: [UInt8: Int] = [:]
  /// Bytes that were passed on from the node behind the proxy on data connections.
  private(set) var dataBytes = 0

  init(target: SocketAddress, loop: EventLoop) async throws {
    self.target = target
    self.loop = loop
    listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
    address = try PeerAddress(host: "127.0.0.1", port: listener.localAddress.port)
    Task { await self.serve() }
  }

  /// What happens to the bytes from now on.
  func lay(_ hand: @escaping Hand) { self.hand = hand }

  /// Connections of a purpose so far.
  func count(of purpose: Preamble) -> Int { counts[purpose.rawValue] ?? 0 }

  /// Ends every connection that is open.
  func cutAll() async {
    for number in Array(open.keys) { await cut(number) }
  }

  /// Ends the connections of a purpose that are open.
  func cutAll(of purpose: Preamble) async {
    for (number, kind) in kinds where kind == purpose.rawValue { await cut(number) }
  }

  func close() async {
    await listener.close()
    await cutAll()
  }

  private func cut(_ number: Int) async {
    guard let (dialler, node) = open.removeValue(forKey: number) else { return }
    await dialler.close()
    await node.close()
  }

  private func serve() async {
    while let dialler = try? await listener.accept() {
      Task { await self.connect(dialler) }
    }
  }

  private func connect(_ dialler: TCPStream) async {
    guard let first = try? await dialler.read(), let purpose = first.first,
      let node = try? await TCPStream.connect(to: target, on: loop)
    else { return await dialler.close() }
    last += 1
    let number = last
    let count = counts[purpose, default: 0]
    counts[purpose] = count + 1
    open[number] = (dialler, node)
    kinds[number] = purpose
    Task { await self.pass(number, purpose, count, from: node, to: dialler, isFromDialler: false, first: []) }
    await pass(number, purpose, count, from: dialler, to: node, isFromDialler: true, first: first)
  }

  private func pass(
    _ number: Int, _ purpose: UInt8, _ count: Int, from: TCPStream, to: TCPStream, isFromDialler: Bool, first: [UInt8]
  ) async {
    var offset = 0
    var next: [UInt8]? = first
    do {
      while var bytes = next {
        let length = bytes.count
        let place = Place(purpose: purpose, number: count, isFromDialler: isFromDialler, offset: offset)
        switch length == 0 ? .pass : hand(place, &bytes) {
        case .pass: break
        case .cut: return await cut(number)
        case .withhold: return
        }
        offset += length
        if purpose == Preamble.data.rawValue, !isFromDialler { dataBytes += length }
        if !bytes.isEmpty { try await to.write(bytes) }
        next = try await from.read()
      }
      try await to.shutdownWrite()
      // A connection whose node has ended it is of no more use to the dialler either.
      if !isFromDialler { await cut(number) }
    } catch { await cut(number) }
  }
}

extension Meddler.Place {
  /// Flips a bit of the byte at a position of this direction, if it is among these bytes. True if it was.
  func flip(at position: Int, in bytes: inout [UInt8]) -> Bool {
    guard offset <= position, position < offset + bytes.count else { return false }
    bytes[position - offset] ^= 0x10
    return true
  }
}
