import Chat
import Language
import Scheduling

/// `set rpm 60 for openai`: a limit of one job, one provider or one model.
enum LimitPlace {
  case job(JobHandle)
  /// A provider (`openai`) or a model (`openai/gpt-5`).
  case named(String)
}

extension Limits.Own {
  /// The settings that a job, a provider or a model may have of its own.
  static let settings = ["concurrency", "rps", "rpm", "tpm"]

  subscript(setting: String) -> Int? {
    get {
      switch setting {
      case "concurrency": concurrency
      case "rps": requestsPerSecond
      case "rpm": requestsPerMinute
      case "tpm": tokensPerMinute
      default: nil
      }
    }
    set {
      switch setting {
      case "concurrency": concurrency = newValue
      case "rps": requestsPerSecond = newValue
      case "rpm": requestsPerMinute = newValue
      case "tpm": tokensPerMinute = newValue
      default: break
      }
    }
  }
}

extension Invocation {
  /// Does what `… for NAME` asks of a limit.
  ///
  /// - Returns: false where the words say no such thing.
  func setsOwnLimit(_ setting: SettingDefinition) async throws -> Bool {
    let words = command.words
    guard words.count >= 3, case .word("for") = words[words.count - 2].node, Limits.Own.settings.contains(setting.name) else {
      return false
    }
    let place = try limitPlace(words[words.count - 1])
    let values = words[1..<(words.count - 2)]
    guard let first = values.first, let last = values.last else {
      let shown = own(of: place)[setting.name].map(String.init) ?? "off"
      do { try await world.output.print("\(setting.name) = \(shown)", raw: false) } catch { throw self.error("\(error)") }
      return true
    }
    if case .job(let handle) = place, isOver(handle, "there is nothing to set for it") { return true }
    let span = Span(first.span.start, last.span.end)
    switch try await given(values, to: setting) {
    case .text("off"), .text("none"), .bool(false), .nothing: put(nil, setting, place)
    case .int(let number) where setting.wholeRange.contains(number): put(number, setting, place)
    case let given:
      let range = setting.wholeRange
      throw error(
        "`\(setting.name)` of its own is a whole number from \(range.lowerBound) to \(range.upperBound), or off; not \(given.preview)",
        at: span)
    }
    return true
  }

  /// `unset rpm for openai`
  func unsetsOwnLimit() throws -> Bool {
    let words = command.words
    guard words.count == 3, case .word("for") = words[1].node else { return false }
    let setting = try setting(words[0])
    guard Limits.Own.settings.contains(setting.name) else {
      throw error("only \(Limits.Own.settings.joined(separator: ", ")) can be unset for one job, provider or model", at: words[0].span)
    }
    let place = try limitPlace(words[2])
    if case .job(let handle) = place, isOver(handle, "there is nothing to unset for it") { return true }
    put(nil, setting, place)
    return true
  }

  /// A job's name wins over a provider's.
  private func limitPlace(_ word: SettingValue) throws -> LimitPlace {
    if let handle = try? job(word) { return .job(handle) }
    let name = context.source.text(word.span)
    let provider = ModelName(name)?.provider ?? name
    let known = world.directory.providers().map(\.id)
    if known.contains(provider) { return .named(name) }
    if let value = context.scope.lookup(name) {
      throw error("`\(name)` is no job: what it holds, \(value.kind), is there already", at: word.span, help: "`jobs` lists them")
    }
    throw error(
      "`\(name)` is no job, provider or model", at: word.span,
      help: Suggestion.nearest(to: provider, among: known).map { "did you mean `\($0)`?" } ?? "`jobs` and `models` list them")
  }

  private func own(of place: LimitPlace) -> Limits.Own {
    switch place {
    case .job(let handle): world.engine.limiter.own(of: handle.job)
    case .named(let name): session.settings.limits.places[name] ?? .none
    }
  }

  private func put(_ number: Int?, _ setting: SettingDefinition, _ place: LimitPlace) {
    var own = own(of: place)
    own[setting.name] = number
    switch place {
    case .job(let handle): world.engine.limiter.set(own, for: handle.job, by: author, rows: session.launchedRows)
    case .named(let name): session.change(by: author) { $0.limits.places[name] = own == .none ? nil : own }
    }
  }
}

extension SettingDefinition {
  /// The numbers that a limit of one place may have.
  fileprivate var wholeRange: ClosedRange<Int> {
    if case .whole(let range) = kind { range } else { 1...Settings.maximumWidth }
  }
}

extension Settings {
  /// What is set for single providers and models, for `set`: `rpm for openai`.
  var ownLimits: [(name: String, value: Int)] {
    limits.places.sorted { $0.key < $1.key }.flatMap { place in
      Limits.Own.settings.compactMap { setting in place.value[setting].map { ("\(setting) for \(place.key)", $0) } }
    }
  }
}
