"""Train a reasoner on the embedded royal family, measure it, ask it, and ask it why."""

import parsimony

model, summary = parsimony.fit("royal", "redgnn", parameters={"dim": 32}, epochs=8, seed=0)
print(f"{summary['parameters']:,} parameters, {summary['seconds']:.0f} s, {summary['valid']}")

test = model.evaluate("test")
print(f"MRR {test['metrics']['mrr']:.3f}, 95% interval {test['interval']['mrr']}")

query = {"head": "Leopold_I_of_Belgium", "relation": "uncle"}
best = model.predict(**query, top=3)["answers"]
print(best)

print(model.explain(**query, tail=best[0]["entity"]).text())
