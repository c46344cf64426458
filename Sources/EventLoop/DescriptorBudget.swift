internal import CSys
internal import Glibc

/// What each kind of work may take of the descriptors that this process may have open, so that a flood of one kind leaves the others
/// what they need.
///
/// What the process holds once it has begun (database, loop, listeners, log) is counted, not guessed. A reserve beside that is
/// nobody's: for the database's log, folders that are walked, names that are resolved.
public final class DescriptorBudget: Sendable {
  /// Work that takes descriptors.
  public enum Kind: Int, CaseIterable, Sendable {
    /// Clients of the control socket.
    case control
    /// Connections that are not authenticated yet.
    case door
    /// Peers that are being dialed: each takes one for every place that is tried side by side.
    case dial
    /// Links with peers.
    case link
    /// Data connections of transfers.
    case data
    /// Files of transfers that are kept open between two chunks.
    case file
  }

  /// What the shares were worked out from.
  public let limit: Int
  private let shares: [Int]
  private let taken = Locked(Array(repeating: 0, count: Kind.allCases.count))

  /// A budget for a process that may have `limit` descriptors and holds `inUse` for good.
  ///
  /// A quarter of what is free, at most 16, is nobody's. Of the rest a twelfth is for each of control clients, strangers and dialing,
  /// and a quarter for each of links, data connections and files. One command gets through where nothing else does, and four
  /// where there is little; from four on, one stranger and one dialing do.
  public init(limit: Int, inUse: Int) {
    self.limit = limit
    let free = max(0, limit - inUse)
    let shared = free - min(16, free / 4)
    let control = max(1, min(4, shared / 3), shared / 12)
    let passing = max(shared / 12, shared >= 4 ? 1 : 0)
    let rest = max(0, shared - control - 2 * passing)
    shares = Kind.allCases.map { kind in
      switch kind {
      case .control: control
      case .door, .dial: passing
      case .link: (rest + 2) / 3
      case .data: (rest + 1) / 3
      case .file: rest / 3
      }
    }
  }

  /// Descriptors that a node opens after its budget was made: the control socket, what waits for signals, the clean-up of the
  /// database's log.
  private static let expected = 5

  /// This process's budget, made when it is first asked for: once the database is open and the node listens.
  public static let process = DescriptorBudget(
    limit: DescriptorLimit.current, inUse: DescriptorLimit.inUse + expected)

  /// How many of a kind there may be at once.
  public func share(of kind: Kind) -> Int { shares[kind.rawValue] }

  /// How many of a kind there are.
  public func inUse(by kind: Kind) -> Int { taken.withLock { $0[kind.rawValue] } }

  /// The right to one more descriptor, for as long as the permit lives; nil where the kind has all that it may have.
  public func take(_ kind: Kind) -> DescriptorPermit? {
    let isFree = taken.withLock { [shares] taken in
      guard taken[kind.rawValue] < shares[kind.rawValue] else { return false }
      taken[kind.rawValue] += 1
      return true
    }
    return isFree ? DescriptorPermit(kind, of: self) : nil
  }

  fileprivate func giveBack(_ kind: Kind) { taken.withLock { $0[kind.rawValue] -= 1 } }
}

/// The right to one descriptor of a ``DescriptorBudget``, given back when the last reference goes.
public final class DescriptorPermit: Sendable {
  private let kind: DescriptorBudget.Kind
  private let budget: DescriptorBudget

  fileprivate init(_ kind: DescriptorBudget.Kind, of budget: DescriptorBudget) {
    self.kind = kind
    self.budget = budget
  }

  deinit { budget.giveBack(kind) }
}

/// How many descriptors the system lets this process have.
public enum DescriptorLimit {
  /// Below this, floods and large artifacts are felt: files are opened anew for each chunk, peers wait for a place.
  public static let comfortable = 1_024

  /// The limit that holds now.
  public static var current: Int { Int(sys_descriptor_limit()) }

  /// Raises the limit to what this process may raise it to without privileges.
  public static func raise() { sys_raise_descriptor_limit() }

  /// How many are open.
  static var inUse: Int {
    let limit = current
    guard let folder = opendir("/proc/self/fd") else {
      return (0..<min(limit, 4_096)).count { fcntl(CInt($0), F_GETFD) != -1 }
    }
    defer { closedir(folder) }
    var count = 0
    // What lies above the limit was inherited, and takes nothing from it.
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if let number = Int(name), number < limit { count += 1 }
    }
    // One of them is the folder that was just read.
    return count - 1
  }
}
