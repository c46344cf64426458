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
    _ frame: Frame, _ ticket: FrameTicket, partial: PartialFolder?, layout: ChunkLayout?, on pool: WorkerPool
  ) async -> Result {
    do { return try await pool.run { run(frame, ticket, partial: partial, layout: layout) } } catch { return .lost }
  }

  private static func run(_ frame: Frame, _ ticket: FrameTicket, partial: PartialFolder?, layout: ChunkLayout?) -> Result {
    do {
      return try ticket.cipher.open(frame: UnsafeRawBufferPointer(rebasing: frame.bytes[..<frame.count])) { plain in
        guard let leaf = ticket.leaf else { return .piece(Array(plain)) }
        guard HashTree.leaf(plain) == leaf else { return .badLeaf }
        guard let partial, let layout else { return .lost }
        do { try partial.write(plain, file: ticket.file, at: layout.range(of: ticket.chunk).lowerBound) } catch {
          return .failed(error)
        }
        return .written
      }
    } catch { return .badTag }
  }
}
