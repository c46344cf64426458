internal import API
internal import Primitives
internal import Store

/// Getting at the keys of a state folder: from a file, a command, or whoever sits at the terminal.
struct Unlocking {
  /// How often a passphrase may be typed.
  static let tries = 3

  let folder: StateFolder
  /// Where the passphrase is to be had; nil: ask.
  let source: PassphraseSource?
  /// What the user should know, and is no error.
  let warn: (String) -> Void

  /// The keys. Throws ``Failure``, and `StoreError` for a folder that cannot be opened whatever the passphrase.
  func keys() throws -> Keyring {
    let isNeeded = try folder.needsPassphrase()
    guard let source else { return isNeeded ? try ask() : try folder.unlock() }
    guard isNeeded else {
      // A change that was cut short may still know it.
      let keys = try folder.unlock(try? source.read(warn))
      if !keys.hasPassphrase { warn("\(source.place) gives a passphrase, and none is set; set it with: pawl passphrase") }
      return keys
    }
    do { return try folder.unlock(try source.read(warn)) } catch let error as StoreError where error.code == .wrongPassphrase {
      throw Failure(.failed, "\(error.message) (from \(source.place))", hint: error.hint)
    }
  }

  private func ask() throws -> Keyring {
    // Throws that one is needed.
    guard TerminalPrompt.isThere else { return try folder.unlock() }
    let outcome = try TerminalPrompt.use { (prompt) throws(Failure) in asked(at: prompt) }
    return try outcome.get()
  }

  /// Asks at a prompt, a few times.
  func asked(at prompt: TerminalPrompt, question: String = "passphrase: ") -> Result<Keyring, any Error> {
    for attempt in 1...Self.tries {
      do {
        guard let line = try prompt.ask(question) else {
          return .failure(Failure(.failed, "no passphrase was given"))
        }
        guard let passphrase = Passphrase(line) else {
          prompt.say("that is no passphrase; try again")
          continue
        }
        return .success(try folder.unlock(passphrase))
      } catch let error as StoreError where error.code == .wrongPassphrase && attempt < Self.tries {
        prompt.say("\(error.detail); try again")
      } catch {
        return .failure(error)
      }
    }
    return .failure(Failure(.failed, "no passphrase was given"))
  }
}
