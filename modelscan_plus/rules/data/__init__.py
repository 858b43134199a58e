"""rules/data"""
