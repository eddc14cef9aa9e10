import Chat
import Language

extension Command {
  /// `stream map …`, or `stream` with a list of models (or of any setting): the `map` that it is; nil for one stream.
  func asManyStreams(isVariable: (String) -> Bool) -> Command? {
    guard name.text == "stream", let first = arguments.first else { return nil }
    if case .name("map") = first.node, !isVariable("map") { return redirected(to: "map", Array(arguments.dropFirst())) }
    let isSweep = flags.contains { flag in
      guard case .list(let values)? = flag.value?.node else { return false }
      return values.count > 1 && flag.name.text != "stop"
    }
    guard isSweep, arguments.count == 1 else { return nil }
    // One item that nothing in the prompt names.
    return redirected(to: "map", [Expression(.list([Expression(.nothing, first.span)]), first.span), first])
  }

  func asManyStreams(in context: Context) -> Command? { asManyStreams { context.scope.lookup($0) != nil } }
}

extension Invocation {
  private static let mostStreams = 200

  /// Runs a `map` with its replies shown in columns as they come.
  func streamedSideBySide(_ map: Command) async throws -> [Value] {
    var context = context
    let inner = Invocation(command: map, definition: .map, context: context, input: input, isLast: isLast, jobName: jobName)
    guard case .rows(let rows) = try await CommandDefinition.map.run(inner) else { return [] }
    var items: [Value] = []
    while let item = try await rows.source.next() {
      items.append(item)
      guard items.count * rows.expansion <= Self.mostStreams else {
        throw error(
          "more than \(Self.mostStreams) streams cannot be looked at", help: "`map` without `stream` sends them and keeps the replies")
      }
    }
    let stage = rows.stages.lazy.compactMap { $0 as? MapStage }.first
    let titles = items.flatMap { item in (0..<rows.expansion).map { stage?.title(item, variant: $0) ?? item.preview } }
    if titles.isEmpty { return [] }
    let board = world.output.board(titles, of: context.job)
    context.board = board
    let stream = RowStream(source: ListSource(items), stages: rows.stages, context: context)
    let replies: [Value]
    do {
      replies = try await stream.collect(named: jobName ?? "stream")
    } catch {
      try? await board.close()
      throw error
    }
    do { try await board.close() } catch { throw self.error("\(error)") }
    session.assign("_", .list(replies), in: session.globals)
    return replies
  }
}

extension MapStage {
  /// What tells a row's reply from its neighbours.
  fileprivate func title(_ item: Value, variant: Int) -> String {
    var parts: [String] = []
    if case .nothing = item {} else { parts.append(item.text) }
    let variant = sweep.variants[variant]
    let model = variant.overrides.last { $0.setting.name == "model" }?.value.text
    if let model, sweep.variants.contains(where: { $0.overrides.contains { $0.setting.name == "model" && $0.value.text != model } }) {
      parts.append(model)
    }
    parts += variant.columns.map { "\($0.name) \($0.value.text)" }
    return parts.isEmpty ? "reply" : parts.joined(separator: " · ")
  }
}
