import Language

extension CommandDefinition {
  static let map = CommandDefinition(
    name: "map", group: .talk, summary: "sends a prompt for every item, as many at once as `concurrency` says",
    usage: [
      "map items \"prompt with {it}\"", "map items prompt --parameter value", "items | map \"…\"",
      "map items [prompt, prompt] --model [a, b] --samples 3",
      "map items prompt --with [{model: \"a/b\", temperature: 0}, {model: \"c/d\"}]",
    ],
    arguments: 2...2, takesInput: true,
    flags: [
      FlagDefinition(
        name: "as", summary: "read each reply as number, json or lines; one that is not is a wrong answer, its text kept",
        accepts: ReplyForm.accepted),
      FlagDefinition(name: "samples", summary: "send each prompt this many times", accepts: .whole(1...10_000)),
      FlagDefinition(
        name: "with", summary: "a record of settings and parameters, or a [list] of them: combinations that are no grid", accepts: .cells),
    ], takesRequestFlags: true, takesRowExpressions: true,
    examples: [
      "map 1..3 \"Tell me a fact about number {it}.\"",
      "prompt story(topic, tone = \"warm\") = \"Write a short {tone} story about {topic}.\"\nmap [\"a forest\", \"a city\"] story --tone formal",
      "[\"cats\", \"dogs\"] | map \"Draft: {it}\" | map \"Critique: {it}\"",
      "map 1..2 [\"Briefly: {it}?\", \"At length: {it}?\"] --temperature [0, 0.7] --samples 2",
    ]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 1, let prompt = rest.first else {
      throw call.error(
        rest.isEmpty ? "`map` needs a prompt: \(call.definition.usage[0])" : "`map` takes items and a prompt",
        at: rest.last?.span ?? call.command.name.span)
    }
    let plans = try await call.promptPlan(prompt)
    if plans.isEmpty { throw call.error("there is no prompt in the list", at: prompt.span) }
    let samples = try await call.samples()
    let axes = try await call.axes(plans)
    let combinations = Sweep.count(plans, axes, samples: samples)
    guard combinations <= Double(Sweep.maximumVariants) else {
      throw call.error("\(combinations.short) combinations are more than \(Sweep.maximumVariants)")
    }
    let sweep = Sweep(prompts: plans, axes: axes, samples: samples)
    let stage = MapStage(sweep: sweep, form: try await call.replyForm(), span: prompt.span, context: call.context)
    try await stage.check([], call.context)
    var rows = stream
    if let shape = sweep.shape {
      if let items = stream.source.count {
        let note = "\((Double(items) * combinations).short) prompts: \(items) \(items == 1 ? "item" : "items") × \(shape)"
        // Within rows it is said once, not for each.
        if call.context.job?.isNews("\(call.span.start) \(note)") ?? true { call.world.output.note(note) }
      }
      rows = rows.adding(ExpandStage(width: sweep.variants.count))
    }
    return .rows(rows.adding(stage))
  }
}

extension Invocation {
  fileprivate func samples() async throws -> Int {
    guard case .int(let samples)? = try await flagValue("samples") else { return 1 }
    return samples
  }
}
