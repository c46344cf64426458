internal import API
internal import Logging

/// Reads the configuration again while the node runs.
///
/// The level of the log and the node's name take effect at once. Where it listens and how its passphrase is to be had are
/// for the next start. Settings that cannot be used change nothing.
actor Reloading {
  private let options: DaemonOptions
  private let environment: [String: String]
  private let file: String
  private let level: LogLevel
  private let node: any RunningNode
  private let logger: Logger
  private var settings: Settings

  /// What was read at the start.
  init(
    _ settings: Settings, _ options: DaemonOptions, environment: [String: String], file: String, level: LogLevel,
    node: any RunningNode, logger: Logger
  ) {
    self.settings = settings
    self.options = options
    self.environment = environment
    self.file = file
    self.level = level
    self.node = node
    self.logger = logger
  }

  /// Reads everything again, and says what changed.
  func reload() async {
    let fresh: Settings
    do { fresh = try await Settings.read(options, environment: environment, file: file) } catch {
      logger.error("the configuration cannot be used; the settings stay as they are", metadata: ["error": "\(error)"])
      return
    }
    // The node ends.
    if Task.isCancelled { return }
    for warning in fresh.warnings { logger.warning("\(warning)") }
    var changes: Logger.Metadata = [:]
    if fresh.level != settings.level { changes["log"] = "\(fresh.level)" }
    if fresh.name != settings.name { changes["name"] = "\(fresh.name)" }
    let waiting = [("listen", fresh.listen != settings.listen), ("passphrase", fresh.passphrase != settings.passphrase)]
      .filter(\.1).map(\.0)
    // Said at the level that says more.
    if fresh.level < settings.level { level.now = fresh.level }
    logger.info("the configuration was read again", metadata: changes.isEmpty ? ["changed": "nothing"] : changes)
    if !waiting.isEmpty {
      logger.warning(
        "settings changed that take effect at the next start", metadata: ["settings": "\(waiting.joined(separator: ", "))"])
    }
    level.now = fresh.level
    if fresh.name != settings.name { await node.rename(to: fresh.name) }
    settings = fresh
  }
}
