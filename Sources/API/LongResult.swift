/// A result with a list of up to 100,000 entries. Its line is written and read a few entries at a time: a JSON encoder or
/// decoder that is given the whole takes ten times the line's memory.
public protocol LongResult: ResultBody {
  /// What the list holds.
  associatedtype Entry: Codable, Sendable
  /// The list's key on the line. No other list of the result may have it.
  static var listKey: String { get }
  /// The list.
  var entries: [Entry] { get set }
}

extension PullResult: LongResult {
  /// The key of its list.
  public static var listKey: String { "files" }
  /// What its list holds.
  public var entries: [FileEntry] {
    get { files }
    set { files = newValue }
  }
}

extension ShareResult: LongResult {
  /// The key of its list.
  public static var listKey: String { "files" }
  /// What its list holds.
  public var entries: [FileEntry] {
    get { files }
    set { files = newValue }
  }
}

extension ShowResult: LongResult {
  /// The key of its list.
  public static var listKey: String { "files" }
  /// What its list holds.
  public var entries: [ShowResult.File] {
    get { files }
    set { files = newValue }
  }
}

extension CheckResult: LongResult {
  /// The key of its list.
  public static var listKey: String { "files" }
  /// What its list holds.
  public var entries: [CheckResult.File] {
    get { files }
    set { files = newValue }
  }
}

extension ListResult: LongResult {
  /// The key of its list.
  public static var listKey: String { "artifacts" }
  /// What its list holds.
  public var entries: [ArtifactSummary] {
    get { artifacts }
    set { artifacts = newValue }
  }
}
