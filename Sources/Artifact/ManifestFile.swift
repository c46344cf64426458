public import Primitives

/// The permissions that a manifest carries: whether a file may be run. All else is the receiver's umask.
public enum FileMode: UInt16, Hashable, Sendable {
  /// 0644
  case regular = 0o644
  /// 0755
  case executable = 0o755

  /// From a file's mode: executable if anybody may run it.
  public init(permissions: UInt32) { self = permissions & 0o111 == 0 ? .regular : .executable }
}

/// One file of an artifact.
public struct ManifestFile: Hashable, Sendable {
  /// Its place inside the artifact.
  public let path: SafePath
  /// Its length.
  public let sizeBytes: UInt64
  /// Its permissions.
  public let mode: FileMode
  /// What it is.
  public let kind: FileKind
  /// SHA-256 over the whole file: the publisher's **claim**. Only a hash computed here may be shown as verified.
  public let sha256: Digest
  /// The root of its hash tree, which every chunk is checked against.
  public let root: Digest
  /// What is inside, for formats that we read.
  public let format: FormatFacts?

  /// A file.
  public init(
    path: SafePath, sizeBytes: UInt64, mode: FileMode, kind: FileKind, sha256: Digest, root: Digest, format: FormatFacts? = nil
  ) {
    self.path = path
    self.sizeBytes = sizeBytes
    self.mode = mode
    self.kind = kind
    self.sha256 = sha256
    self.root = root
    self.format = format
  }

  /// A file after one pass over it.
  public init(path: SafePath, sizeBytes: UInt64, mode: FileMode, facts: FileFacts) {
    self.init(
      path: path, sizeBytes: sizeBytes, mode: mode, kind: facts.kind, sha256: facts.sha256, root: facts.root,
      format: facts.format)
  }
}

/// A file of the artifact that says in which environment its weights run.
public struct EnvironmentFile: Hashable, Sendable {
  /// More than any project keeps; the manifest names them one by one.
  public static let maximumFiles = 64

  /// Where the file is.
  public let path: SafePath
  /// How it is to be read: `pip-requirements`, `conda-environment`, … A word like a ``FileKind``.
  public let form: FileKind

  /// An environment file.
  public init(path: SafePath, form: FileKind) {
    self.path = path
    self.form = form
  }

  private static let forms: [String: String] = [
    "requirements.txt": "pip-requirements", "requirements.lock": "pip-requirements", "pylock.toml": "pylock",
    "uv.lock": "uv-lock", "poetry.lock": "poetry-lock", "pdm.lock": "pdm-lock", "pipfile.lock": "pipenv-lock",
    "pixi.lock": "pixi-lock", "environment.yml": "conda-environment", "environment.yaml": "conda-environment",
    "conda-lock.yml": "conda-lock", "conda-linux-64.lock": "conda-explicit", "conda-explicit.txt": "conda-explicit",
  ]

  /// The file as an environment file, if its name is one that the tools themselves write.
  public init?(recognising path: SafePath) {
    guard let word = Self.forms[path.lastComponent.lowercased()], let form = FileKind(rawValue: word) else { return nil }
    self.init(path: path, form: form)
  }
}
