internal import Artifact
internal import EventLoop
internal import Primitives
internal import Store
internal import Transfer

/// What a worker does with one frame that arrived: open it, check it, and write it where it belongs, while it is in the
/// processor's cache.
enum FrameJob {
  enum Result: Sendable {
    /// A chunk: its leaf matched and its bytes are written.
    case written
    /// A piece of a manifest or a leaf list.
    case piece([UInt8])
    /// The tag did not verify: somebody on the path changed it.
    case badTag
    /// The tag verified and the leaf does not match: the peer sealed something else.
    case badLeaf
    /// The job was not run.
    case lost
    /// The disk said no.
    case failed(any Error)
  }

  static func run(
    _ frame: Frame, _ ticket: FrameTicket, partial: PartialFolder?, on pool: WorkerPool
  ) async -> Result {
    do { return try await pool.run { run(frame, ticket, partial: partial) } } catch { return .lost }
  }

  private static func run(_ frame: Frame, _ ticket: FrameTicket, partial: PartialFolder?) -> Result {
    let bytes = UnsafeRawBufferPointer(rebasing: frame.bytes[..<frame.count])
    guard ticket.kind == .chunks else { return ticket.openPiece(bytes).map { .piece($0) } ?? .badTag }
    guard let partial else { return .lost }
    do {
      switch try ticket.verify(bytes, write: { try partial.write($0, file: ticket.file, at: ticket.offset) }) {
      case .good: return .written
      case .badTag: return .badTag
      case .badLeaf: return .badLeaf
      }
    } catch { return .failed(error) }
  }
}
