"""From facts to rules as text, edited by a person, and back to answers."""

import parsimony
from parsimony.knowledge import parse_rules

task = parsimony.LinkTask(parsimony.datasets.load("royal"))
rules = parsimony.mine_rules(task.train_graph, max_length=2)
text = parsimony.format_rules(rule for rule in rules if rule.head.relation == "uncle")
print(text)

edited = "uncle(X,Y) <- brother(X,A), father(A,Y)\nuncle(X,Y) <- brother(X,A), mother(A,Y)\n"
reasoner = parsimony.RuleReasoner().fit(task, knowledge=parse_rules(edited))
uncles = reasoner.predict(tail="Victoria_of_the_United_Kingdom", relation="uncle", top=3)
print([(answer["entity"], round(answer["score"], 2)) for answer in uncles["answers"]])
