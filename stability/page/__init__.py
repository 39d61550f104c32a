"""The parts of app.py: links, session, widgets, sections, benches, cards, CSS, components.

It may import every other package, but not Streamlit, which only app.py knows. To add a section of
Look closer, add its function and its row to `sections`; to add a bench, add its row to `benches`.
"""
