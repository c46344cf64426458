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
  public static var listKey: String { "files" }
  public var entries: [FileEntry] {
    get { files }
    set { files = newValue }
  }
}

extension ShareResult: LongResult {
  public static var listKey: String { "files" }
  public var entries: [FileEntry] {
    get { files }
    set { files = newValue }
  }
}

extension ShowResult: LongResult {
  public static var listKey: String { "files" }
  public var entries: [ShowResult.File] {
    get { files }
    set { files = newValue }
  }
}

extension CheckResult: LongResult {
  public static var listKey: String { "files" }
  public var entries: [CheckResult.File] {
    get { files }
    set { files = newValue }
  }
}

extension ListResult: LongResult {
  public static var listKey: String { "artifacts" }
  public var entries: [ArtifactSummary] {
    get { artifacts }
    set { artifacts = newValue }
  }
}
