internal import Artifact
internal import Store

/// What placing an artifact came to, worked out where the files were placed: with 100,000 of them it takes too long for the loop.
struct PlacementOutcome: Sendable {
  /// Files that are there, placed now or before.
  let there: [PlacedFile]
  /// Manifest paths of files that stayed away because something different has their name.
  let skipped: [String]
  /// The records of the delivery's files.
  let records: [HoldingFile]
  /// The bytes of the files that are there.
  let bytes: UInt64
  /// What the user should know of the files, a line each.
  let warnings: [String]

  /// Looks at the beginning of every file that is there, if somebody is to be told what was found. Blocks.
  init(_ placed: [PlacedFile], of manifest: Manifest, examining: Bool = true) {
    let there = placed.filter { $0.outcome != .conflict }
    self.there = there
    skipped = placed.lazy.filter { $0.outcome == .conflict }.map { manifest.files[$0.index].path.text }
    records = there.map { file in
      HoldingFile(
        index: file.index, path: file.path, sizeBytes: manifest.files[file.index].sizeBytes,
        expected: manifest.files[file.index].sha256)
    }
    bytes = there.reduce(0) { $0 + manifest.files[$1.index].sizeBytes }
    var findings = PlacedFindings()
    for file in there where examining { findings.add(file, manifest.files[file.index]) }
    warnings = findings.warnings
  }
}

/// Files among those placed that can do harm: models whose header cannot be read, and formats that run code when they are loaded.
///
/// The publisher's word and the file's own beginning both count, and neither clears a file of what the other says. Saying
/// nothing of a file does not mean that it is safe.
struct PlacedFindings {
  /// How many files of a kind are named, each in a line; the rest is counted.
  static let namedFiles = 20

  private var malformed: [String] = []
  private var malformedCount = 0
  private var pickles: [String] = []
  private var pickleCount = 0

  /// Looks at a file. Blocks.
  mutating func add(_ placed: PlacedFile, _ claim: ManifestFile) {
    let found = FormatExamination.examine(placed.path, as: claim.path)
    let name = placed.placedAs ?? claim.path.text
    if found?.isMalformed == true || claim.format?.isMalformed == true {
      malformedCount += 1
      if malformed.count < Self.namedFiles { malformed.append(name) }
    }
    if [found?.kind, claim.kind].contains(where: { $0 == .pickle || $0 == .pytorch }) {
      pickleCount += 1
      if pickles.count < Self.namedFiles { pickles.append(name) }
    }
  }

  /// A line for each file, the malformed first.
  var warnings: [String] {
    var lines = malformed.map { "\($0) has a malformed safetensors header: no loader should be given this file" }
    if malformedCount > malformed.count {
      lines.append("\(malformedCount - malformed.count) more files have a malformed safetensors header")
    }
    lines += pickles.map { "\($0) is a pickle: loading it can run code that its author put into it" }
    if pickleCount > pickles.count { lines.append("\(pickleCount - pickles.count) more files are pickles") }
    return lines
  }
}
